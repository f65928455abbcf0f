"""The files that prepare writes, and the folders that it refuses or does not change."""

import json
from dataclasses import replace

import numpy as np
import pytest

from elbow_core.dataset import open_archive, read_manifest
from elbow_core.errors import UserError
from elbow_core.prepare import DataConfig, FractionSplit, prepare
from elbow_core.radiographs import Preprocessing, preprocess, read_radiograph
from elbow_core.sources import FracAtlasSource, MuraSource, SyntheticSource
from tests.support.paths import names_in
from tests.support.prepare_folders import FILES, rejected, write_images
from tests.support.tiny_images import encode, make_image, write


@pytest.fixture
def config(tmp_path) -> DataConfig:
    return write_images(tmp_path)


def test_prepared_folder_contains_its_files_and_nothing_else(config):
    assert prepare(config)
    assert names_in(config.out) == FILES
    assert names_in(config.out.parent) == ["out", "root"]


def test_archive_contains_the_preprocessed_images_in_manifest_order(config):
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


def test_written_files_contain_no_path_of_this_machine(config):
    prepare(config)
    for name in ("index.json", "manifest.csv", "rejected.csv"):
        assert str(config.root.parent) not in (config.out / name).read_text()
    index = json.loads((config.out / "index.json").read_text())
    assert index["settings"] == config.preprocess.model_dump()


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
    (config.root / "injury/p01_1.jpg").write_bytes(encode(make_image(0), ".jpg")[:-2])
    damaged = bytearray(encode(make_image(0)))
    damaged[len(damaged) // 2] ^= 0xFF  # Complete by its header; only decoding detects it.
    (config.root / "normal/p02_0.png").write_bytes(damaged)
    (config.root / "normal/p04_0.png").write_bytes(b"")
    (config.root / "normal/notes.txt").write_bytes(b"x")
    prepare(config)
    assert rejected(config) == {
        "normal/p00_0.png": "is not an image: neither PNG, JPEG nor DICOM",
        "injury/p01_1.jpg": "is cut short: the end of the JPEG is missing",
        "normal/p02_0.png": "is a damaged PNG: its image data cannot be inflated",
        "normal/p04_0.png": "is empty",
        "normal/notes.txt": "has no image suffix (.png, .jpg, .jpeg, .dcm) and is not DICOM",
    }
    assert len(open_archive(config.out)) == 44
    assert list(rejected(config)) == sorted(rejected(config))


@pytest.mark.parametrize("workers", [0, 1])
def test_strict_makes_a_bad_file_fatal_and_leaves_nothing(config, workers):
    bad = config.root / "normal/p02_0.png"
    bad.write_bytes(encode(make_image(0))[:-30])
    with pytest.raises(UserError, match=f"{bad}: is cut short"):
        prepare(config.model_copy(update={"strict": True, "workers": workers}))
    assert names_in(config.out.parent) == ["root"]


def test_identical_images_with_different_labels_are_both_rejected(config):
    write(config.root / "normal/p00_0.png", make_image(99))
    write(config.root / "injury/p01_0.png", make_image(99))
    prepare(config)
    assert rejected(config) == {
        "normal/p00_0.png": "is identical to injury/p01_0.png, which has the other label",
        "injury/p01_0.png": "is identical to normal/p00_0.png, which has the other label",
    }
    again = config.model_copy(update={"strict": True, "out": config.out.with_name("strict")})
    with pytest.raises(UserError, match="which has the other label"):
        prepare(again)


def write_fracatlas(config: DataConfig) -> DataConfig:
    """Move the images into the layout of FracAtlas; one normal image lies among the fractured."""
    lines = ["image_id,hand,hardware,fractured,frontal,lateral,oblique"]
    for label, folder in enumerate(("Non_fractured", "Fractured")):
        for path in sorted((config.root / ("normal", "injury")[label]).iterdir()):
            lines.append(f"{path.name},1,0,{label},1,0,0")
            moved = "Fractured" if path.name == "p00_0.png" else folder
            target = config.root / "images" / moved / path.name
            target.parent.mkdir(parents=True, exist_ok=True)
            path.rename(target)
    (config.root / "dataset.csv").write_text("\n".join([*lines, ""]))
    return config.model_copy(update={"source": FracAtlasSource()})


def test_image_with_two_labels_is_rejected_and_the_rest_is_prepared(config):
    config = write_fracatlas(config)
    prepare(config)
    assert rejected(config) == {
        "images/Fractured/p00_0.png": (
            "has two labels: it lies in Fractured, but fractured is 0 in dataset.csv"
        )
    }
    assert len(open_archive(config.out)) == 47


def test_strict_stops_at_an_image_with_two_labels_and_leaves_nothing(config):
    config = write_fracatlas(config).model_copy(update={"strict": True})
    bad = config.root / "images/Fractured/p00_0.png"
    with pytest.raises(UserError, match=f"^{bad}: has two labels: it lies in Fractured, but"):
        prepare(config)
    assert names_in(config.out.parent) == ["root"]
    bad.rename(config.root / "images/Non_fractured/p00_0.png")
    assert prepare(config)


def test_second_run_changes_nothing(config):
    def written() -> dict[str, tuple[int, int, int]]:
        found = {name: (config.out / name).stat() for name in FILES}
        return {
            name: (status.st_ino, status.st_size, status.st_mtime_ns)
            for name, status in found.items()
        }

    prepare(config)
    before = written()
    assert not prepare(config.model_copy(update={"workers": 1}))
    assert written() == before


def test_other_settings_or_files_do_not_overwrite_a_prepared_set(config):
    prepare(config)
    before = (config.out / "images-00000.array_record").read_bytes()
    other = config.model_copy(update={"preprocess": Preprocessing(size=32, sigma=3.0)})
    with pytest.raises(UserError, match="was prepared with other settings or from other files"):
        prepare(other)
    write(config.root / "normal/p99_0.png", make_image(99))
    with pytest.raises(UserError, match="delete it or choose another out"):
        prepare(config)
    assert (config.out / "images-00000.array_record").read_bytes() == before


def test_moved_folder_is_the_same_data(config):
    prepare(config)
    moved = config.root.rename(config.root.with_name("moved"))
    assert not prepare(config.model_copy(update={"root": moved}))


def test_damaged_prepared_folder_is_not_accepted(config):
    prepare(config)
    records = config.out / "images-00000.array_record"
    records.write_bytes(records.read_bytes()[:-1])
    with pytest.raises(UserError, match=r"cut short .*: delete .*out first"):
        prepare(config)


def test_folder_with_other_files_is_never_written_to(config):
    config.out.mkdir()
    (config.out / "thesis.txt").write_text("x")
    with pytest.raises(UserError, match="is not a prepared data set; choose another out"):
        prepare(config)
    assert names_in(config.out) == ["thesis.txt"]


def test_empty_folder_may_be_the_output(config):
    config.out.mkdir()
    assert prepare(config)


def test_partial_folder_without_our_mark_is_refused_and_not_touched(config):
    partial = config.out.with_name(".out.partial")
    partial.mkdir()
    (partial / "thesis.tex").write_text("mine")
    with pytest.raises(UserError, match=r"\.out\.partial: holds files that this program"):
        prepare(config)
    assert (partial / "thesis.tex").read_text() == "mine"
    partial.rename(config.out.with_name("mine"))
    partial.symlink_to("mine")
    with pytest.raises(UserError, match=r"\.out\.partial: is a link"):
        prepare(config)
    assert (partial / "thesis.tex").read_text() == "mine"


def test_link_to_a_folder_stands_for_it_and_a_broken_one_is_refused(config):
    config.out.symlink_to("real")
    with pytest.raises(UserError, match="out: is a link to real, which does not exist"):
        prepare(config)
    config.out.with_name("real").mkdir()
    assert prepare(config)
    assert config.out.is_symlink()
    assert names_in(config.out) == FILES
    assert not prepare(config)


def test_output_inside_the_data_root_is_refused(config):
    for out in (config.root, config.root / "prepared", config.root.parent):
        with pytest.raises(UserError, match="must not contain each other"):
            prepare(config.model_copy(update={"out": out}))


def test_class_without_readable_files_is_an_error_before_the_long_work(config):
    for path in (config.root / "injury").iterdir():
        path.write_bytes(b"broken")
    with pytest.raises(UserError, match="there is no injury image"):
        prepare(config)
    assert names_in(config.out.parent) == ["root"]


def test_synthetic_radiographs_are_rendered_if_they_do_not_exist(config):
    source = SyntheticSource(patients=8, tree=MuraSource())
    synthetic = config.model_copy(
        update={
            "source": source,
            "root": config.root.with_name("synthetic"),
            "split": FractionSplit(train=0.5, validation=0.5, test=0.0),
        }
    )
    prepare(synthetic)
    rows = read_manifest(synthetic.out / "manifest.csv")
    assert {row.source for row in rows} == {"synthetic"}
    assert rejected(synthetic) == {}
    rendered = {path: path.stat().st_mtime_ns for path in synthetic.root.rglob("*.png")}
    assert not prepare(synthetic)
    assert {path: path.stat().st_mtime_ns for path in synthetic.root.rglob("*.png")} == rendered


def test_real_radiographs_are_prepared(real_radiographs, config):
    # 40 real images, two of them cut short as published.
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
