import csv
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tiny_images import draw, encode, write

from elbow_core import cli
from elbow_core.archive import open_archive
from elbow_core.config import dump_config
from elbow_core.data_config import (
    ClassCounts,
    CountSplit,
    DataConfig,
    FractionSplit,
    OfficialSplit,
)
from elbow_core.errors import UserError
from elbow_core.manifest import read_manifest
from elbow_core.prepare import main, prepare
from elbow_core.preprocess import Preprocessing, preprocess
from elbow_core.radiograph import read_radiograph
from elbow_core.sources import FolderSource, MuraSource, SyntheticSource
from elbow_core.splits import check_leakage

FILES = [
    "images-00000.array_record",
    "index.json",
    "manifest.csv",
    "near_duplicates.csv",
    "perceptual_hashes.npy",
    "rejected.csv",
]


@pytest.fixture
def config(tmp_path) -> DataConfig:
    """24 patients with two images each, half of them injured."""
    root = tmp_path / "root"
    for patient in range(24):
        for image in range(2):
            suffix = (".png", ".jpg")[image]
            folder = ("normal", "injury")[patient % 2]
            path = root / folder / f"p{patient:02d}_{image}{suffix}"
            write(path, draw(2 * patient + image, 40 + patient, 48))
    return DataConfig(
        source=FolderSource(
            classes={"normal": 0, "injury": 1}, patient=r"(?P<patient>p\d+)_(?P<study>\d)"
        ),
        root=root,
        out=tmp_path / "out",
        preprocess=Preprocessing(size=32, sigma=2.0),
        split=FractionSplit(train=0.5, validation=0.25, test=0.25),
        workers=0,
    )


def rejected(config: DataConfig) -> dict[str, str]:
    with (config.out / "rejected.csv").open(newline="") as file:
        return {line["path"]: line["reason"] for line in csv.DictReader(file)}


def entries(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_prepared_folder_holds_its_files_and_nothing_else(config):
    assert prepare(config)
    assert entries(config.out) == FILES
    assert entries(config.out.parent) == ["out", "root"]


def test_archive_holds_the_preprocessed_images_in_the_manifests_order(config):
    prepare(config)
    rows = read_manifest(config.out / "manifest.csv")
    archive = open_archive(config.out)
    assert archive.ids == tuple(row.image_id for row in rows)
    assert archive.settings == config.preprocess.model_dump()
    assert len(rows) == 48
    for row, pixels in zip(rows, archive, strict=True):
        image = read_radiograph(config.root / row.path)
        assert np.array_equal(pixels, preprocess(image, 32, sigma=2.0))
        assert (row.height, row.width) == image.shape
        assert len(row.sha256) == 64


def test_splits_share_no_patient_and_have_their_shares(config):
    prepare(config)
    rows = read_manifest(config.out / "manifest.csv")
    check_leakage(rows)
    counts = {(row.split, row.label): 0 for row in rows}
    for row in rows:
        counts[row.split, row.label] += 1
    assert counts == {
        ("train", 0): 12,
        ("train", 1): 12,
        ("validation", 0): 6,
        ("validation", 1): 6,
        ("test", 0): 6,
        ("test", 1): 6,
    }


def test_any_number_of_workers_gives_the_same_bytes(config):
    (config.root / "normal/p00_0.png").write_bytes(b"broken")
    prepare(config)
    for workers in (1, 3):
        other = config.model_copy(
            update={"workers": workers, "out": config.out.with_name(f"out{workers}")}
        )
        prepare(other)
        for name in FILES:
            assert (other.out / name).read_bytes() == (config.out / name).read_bytes()


def test_bad_files_are_rejected_with_the_reason_and_without_the_machines_paths(config):
    (config.root / "normal/p00_0.png").write_bytes(b"not an image")
    (config.root / "injury/p01_1.jpg").write_bytes(encode(draw(0), ".jpg")[:-2])
    damaged = bytearray(encode(draw(0)))
    damaged[len(damaged) // 2] ^= 0xFF  # Whole by its header; only decoding can tell.
    (config.root / "normal/p02_0.png").write_bytes(damaged)
    (config.root / "normal/p04_0.png").write_bytes(b"")
    (config.root / "normal/notes.txt").write_bytes(b"x")
    prepare(config)
    assert rejected(config) == {
        "normal/p00_0.png": "is not an image: neither PNG, JPEG nor DICOM",
        "injury/p01_1.jpg": "is cut short: the end of the JPEG is missing",
        "normal/p02_0.png": "is a damaged PNG: it cannot be decoded",
        "normal/p04_0.png": "is empty",
        "normal/notes.txt": "is not named as an image (.png, .jpg, .jpeg, .dcm)",
    }
    assert len(open_archive(config.out)) == 44
    assert list(rejected(config)) == sorted(rejected(config))


@pytest.mark.parametrize("workers", [0, 1])
def test_strict_makes_a_bad_file_fatal_and_leaves_nothing(config, workers):
    bad = config.root / "normal/p02_0.png"
    bad.write_bytes(encode(draw(0))[:-30])
    with pytest.raises(UserError, match=f"{bad}: is cut short"):
        prepare(config.model_copy(update={"strict": True, "workers": workers}))
    assert entries(config.out.parent) == ["root"]


def test_identical_images_stay_in_one_split(config):
    for name in ("p00_0.png", "p02_0.png", "p04_0.png"):
        write(config.root / "normal" / name, draw(99))
    prepare(config)
    rows = read_manifest(config.out / "manifest.csv")
    assert len({row.split for row in rows if row.patient_id in ("p00", "p02", "p04")}) == 1


def test_identical_images_with_different_labels_are_both_rejected(config):
    write(config.root / "normal/p00_0.png", draw(99))
    write(config.root / "injury/p01_0.png", draw(99))
    prepare(config)
    assert rejected(config) == {
        "normal/p00_0.png": "is identical to injury/p01_0.png, which has the other label",
        "injury/p01_0.png": "is identical to normal/p00_0.png, which has the other label",
    }
    again = config.model_copy(update={"strict": True, "out": config.out.with_name("strict")})
    with pytest.raises(UserError, match="which has the other label"):
        prepare(again)


def test_second_run_finds_the_work_done_and_touches_nothing(config):
    def written() -> dict[str, tuple[int, int, int]]:
        found = {name: (config.out / name).stat() for name in FILES}
        return {name: (of.st_ino, of.st_size, of.st_mtime_ns) for name, of in found.items()}

    prepare(config)
    before = written()
    assert not prepare(config.model_copy(update={"workers": 1}))
    assert written() == before


def test_other_settings_or_files_do_not_overwrite_what_is_there(config):
    prepare(config)
    before = (config.out / "images-00000.array_record").read_bytes()
    other = config.model_copy(update={"preprocess": Preprocessing(size=32, sigma=3.0)})
    with pytest.raises(UserError, match="was prepared with other settings or from other files"):
        prepare(other)
    write(config.root / "normal/p99_0.png", draw(99))
    with pytest.raises(UserError, match="delete it or choose another out"):
        prepare(config)
    assert (config.out / "images-00000.array_record").read_bytes() == before


def test_folder_that_moved_is_still_the_same_data(config):
    prepare(config)
    moved = config.root.rename(config.root.with_name("moved"))
    assert not prepare(config.model_copy(update={"root": moved}))


def test_damaged_prepared_folder_is_not_taken_for_done(config):
    prepare(config)
    records = config.out / "images-00000.array_record"
    records.write_bytes(records.read_bytes()[:-1])
    with pytest.raises(UserError, match=r"cut short .*: delete .*out first"):
        prepare(config)


def test_foreign_folder_is_never_written_to(config):
    config.out.mkdir()
    (config.out / "thesis.txt").write_text("x")
    with pytest.raises(UserError, match="is no prepared data set; choose another out"):
        prepare(config)
    assert entries(config.out) == ["thesis.txt"]


def test_empty_folder_may_be_the_output(config):
    config.out.mkdir()
    assert prepare(config)


def test_leftovers_of_a_killed_run_are_cleared(config):
    partial = config.out.with_name(".out.partial")
    partial.mkdir()
    (partial / "images-00000.array_record").write_bytes(b"half")
    (partial / "other").write_bytes(b"half")
    prepare(config)
    assert entries(config.out) == FILES
    assert entries(config.out.parent) == ["out", "root"]


def test_output_inside_the_data_root_is_refused(config):
    for out in (config.root, config.root / "prepared", config.root.parent):
        with pytest.raises(UserError, match="must lie apart"):
            prepare(config.model_copy(update={"out": out}))


def test_class_that_bad_files_emptied_is_found_before_the_long_work(config):
    for path in (config.root / "injury").iterdir():
        path.write_bytes(b"broken")
    with pytest.raises(UserError, match="there is no injury image at all"):
        prepare(config)
    assert entries(config.out.parent) == ["root"]


def test_counts_are_those_of_the_images_that_can_be_read(config):
    half = ClassCounts(normal=12, injury=12)
    quarter = ClassCounts(normal=6, injury=6)
    split = CountSplit(train=half, validation=quarter, test=quarter)
    counted = config.model_copy(update={"split": split})
    (config.root / "normal/p00_0.png").write_bytes(b"broken")
    with pytest.raises(UserError, match="24 normal images are asked for and 23 are there"):
        prepare(counted)


@pytest.fixture
def mura(config) -> DataConfig:
    root = config.root.with_name("mura")
    for patient in range(8):
        split = "train" if patient < 4 else "valid"
        result = ("negative", "positive")[patient % 2]
        folder = root / split / "XR_ELBOW" / f"patient{patient:05d}" / f"study1_{result}"
        write(folder / "image1.png", draw(patient))
    return config.model_copy(
        update={"source": MuraSource(), "root": root, "split": OfficialSplit()}
    )


def test_official_split_is_kept(mura):
    prepare(mura)
    rows = read_manifest(mura.out / "manifest.csv")
    assert [row.split for row in rows] == ["train"] * 4 + ["validation"] * 4


def test_official_split_that_leaks_is_refused(mura):
    images = sorted(mura.root.rglob("*.png"))
    images[4].write_bytes(images[0].read_bytes())
    with pytest.raises(UserError, match="leak: 1 identical images in two splits"):
        prepare(mura)


def test_official_split_of_a_source_without_one_is_refused(config):
    with pytest.raises(UserError, match="has none; use fractions"):
        prepare(config.model_copy(update={"split": OfficialSplit()}))


def test_published_split_may_be_dealt_anew(mura):
    prepare(mura.model_copy(update={"split": FractionSplit(train=0.5, validation=0.5, test=0.0)}))
    rows = read_manifest(mura.out / "manifest.csv")
    assert {row.split for row in rows} == {"train", "validation"}


def test_synthetic_radiographs_are_drawn_when_they_are_not_there(config):
    source = SyntheticSource(patients=8, tree=MuraSource())
    synthetic = config.model_copy(
        update={
            "source": source,
            "root": config.root.with_name("drawn"),
            "split": FractionSplit(train=0.5, validation=0.5, test=0.0),
        }
    )
    prepare(synthetic)
    rows = read_manifest(synthetic.out / "manifest.csv")
    assert {row.source for row in rows} == {"synthetic"}
    assert rejected(synthetic) == {}
    drawn = {path: path.stat().st_mtime_ns for path in synthetic.root.rglob("*.png")}
    assert not prepare(synthetic)
    assert {path: path.stat().st_mtime_ns for path in synthetic.root.rglob("*.png")} == drawn


def test_command_prints_the_reports_table_and_says_when_nothing_was_to_do(config, capsys):
    path = config.out.with_name("data.yaml")
    path.write_text(dump_config(config))
    (config.root / "normal/p00_0.png").write_bytes(b"broken")
    assert main(["--config", str(path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"{config.out}: prepared"
    assert lines[1].split() == ["Set", "Normal", "Injury"]
    assert [line.split()[0] for line in lines[2:6]] == ["Train", "Validation", "Test", "Total"]
    assert lines[5].split()[1:] == ["23", "24"]
    assert lines[6] == f"1 files were not used; {config.out / 'rejected.csv'} says why"
    assert main(["--config", str(path)]) == 0
    assert capsys.readouterr().out.startswith(
        f"{config.out}: already prepared with these settings\nSet"
    )


def command(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "elbow_core.prepare", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parents[1],
        env=os.environ | {"PYTHONWARNINGS": "error"},
    )


def test_command_with_workers_runs_as_a_user_runs_it(config):
    path = config.out.with_name("data.yaml")
    path.write_text(dump_config(config))
    done = command("--config", path, "--workers", "2")
    assert (done.returncode, done.stdout.splitlines()[0]) == (0, f"{config.out}: prepared")
    assert done.stderr.count("prepare: 48 of 48") == 1
    assert entries(config.out) == FILES


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["--preprocess.sizes=3"],
            "preprocess.sizes (from the command line): unknown key; did you",
        ),
        (["--root=/no/such/folder"], "/no/such/folder: is not a folder"),
        (["--split.train=0.9"], "they must sum to 1"),
    ],
)
def test_usage_errors_are_one_line_and_status_2(config, arguments, message, monkeypatch, capsys):
    path = config.out.with_name("data.yaml")
    path.write_text(dump_config(config))
    monkeypatch.setattr(sys, "argv", ["prepare", "--config", str(path), *arguments])
    with pytest.raises(SystemExit) as ended:
        cli.run(main)
    assert ended.value.code == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert message in error
    assert error.count("\n") == 1
    assert entries(config.out.parent) == ["data.yaml", "root"]


def test_help_needs_no_configuration(capsys):
    assert main(["--help"]) == 0
    assert "--preprocess.size int (default: 584)" in capsys.readouterr().out


def test_index_names_no_place_on_this_machine(config):
    prepare(config)
    for name in ("index.json", "manifest.csv", "rejected.csv"):
        assert str(config.root.parent) not in (config.out / name).read_text()
    index = json.loads((config.out / "index.json").read_text())
    assert index["settings"] == config.preprocess.model_dump()


def test_shares_that_do_not_sum_to_1_are_refused():
    with pytest.raises(ValueError, match="must sum to 1"):
        FractionSplit(train=0.5, validation=0.1, test=0.1)
    with pytest.raises(ValueError, match="nothing could be trained"):
        FractionSplit(train=0.0, validation=0.5, test=0.5)


def test_real_radiographs_become_a_prepared_set(real_radiographs, config):
    # 40 real images, of which two are cut short as published.
    source = real_radiographs / "fracatlas_upper_limb" / "images"
    for path in config.root.rglob("*.*"):
        path.unlink()
    images = sorted(source.glob("*.jpg"))[:38]
    cut = sorted((real_radiographs / "truncated").glob("*.jpg"))[:2]
    for number, path in enumerate([*images, *cut]):
        folder = config.root / ("normal", "injury")[number % 2]
        (folder / f"p{number:02d}_0.jpg").write_bytes(path.read_bytes())
    prepare(config)
    assert sorted(rejected(config).values()) == ["is cut short: the end of the JPEG is missing"] * 2
    rows = read_manifest(config.out / "manifest.csv")
    assert len(rows) == 38
    assert replace(rows[0]).height >= 100
