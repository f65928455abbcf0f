"""Near-duplicates, identifying names and DICOM files in prepare."""

import csv

import cv2
import numpy as np
import pytest
from pydicom.uid import JPEGLosslessSV1, RLELossless

from elbow_core.config import dump_config, load_config
from elbow_core.dataset import open_archive, read_manifest
from elbow_core.errors import ConfigError, UserError
from elbow_core.prepare import (
    DataConfig,
    FractionSplit,
    OfficialSplit,
    prepare,
    read_private_paths,
)
from elbow_core.prepare.__main__ import main
from elbow_core.radiographs import Preprocessing, preprocess, read_radiograph
from elbow_core.sources import FolderSource
from tests.support.dicom_files import PATIENT, RAMP, dicom
from tests.support.paths import ROOT
from tests.support.tiny_images import encode, write

IMAGES = 40


def smooth_image(seed: int) -> np.ndarray:
    """Return a smooth pattern, which JPEG hardly changes; each seed gives another."""
    noise = np.random.default_rng(seed).normal(128, 60, (16, 14))
    image = cv2.resize(noise, (112, 128), interpolation=cv2.INTER_CUBIC)
    return np.clip(image, 0, 255).astype(np.uint8)


@pytest.fixture
def config(tmp_path) -> DataConfig:
    """40 patients with one image each, named after them; images 20 to 39 are 0 to 19 as JPEG."""
    root = tmp_path / "root"
    for number in range(IMAGES):
        folder = ("normal", "injury")[number % 2]
        suffix = ".png" if number < 20 else ".jpg"
        write(root / folder / f"smith{number:02d}{suffix}", smooth_image(number % 20))
    return DataConfig(
        source=FolderSource(classes={"normal": 0, "injury": 1}, patient=r"(?P<patient>smith\d+)"),
        root=root,
        out=tmp_path / "out",
        preprocess=Preprocessing(size=32, sigma=2.0),
        split=FractionSplit(train=0.5, validation=0.25, test=0.25),
        workers=0,
    )


def near_duplicates(config: DataConfig) -> list[dict[str, str]]:
    with (config.out / "near_duplicates.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def run(config: DataConfig, *arguments: str) -> int:
    path = config.out.with_name("data.yaml")
    path.write_text(dump_config(config))
    return main(["--config", str(path), *arguments])


def test_near_duplicates_are_reported_with_pairs_and_splits(config, capsys):
    assert run(config) == 0
    pairs = near_duplicates(config)
    assert len(pairs) == 20
    split = {row.image_id: row.split for row in read_manifest(config.out / "manifest.csv")}
    separated = 0
    for pair in pairs:
        numbers = sorted(int(pair[name][-6:-4]) for name in ("image_id", "other_id"))
        assert numbers[1] - numbers[0] == 20
        assert pair["split"] == split[pair["image_id"]]
        assert pair["other_split"] == split[pair["other_id"]]
        separated += pair["split"] != pair["other_split"]
    assert separated > 0
    assert (
        f"20 pairs of images of different patients look the same, {separated} of them in different "
        f"splits; {config.out / 'near_duplicates.csv'} lists them"
    ) in capsys.readouterr().out


def test_grouped_near_duplicates_are_in_one_split(config, capsys):
    assert run(config, "--near-duplicates", "group") == 0
    assert "0 of them in different splits" in capsys.readouterr().out
    pairs = near_duplicates(config)
    assert len(pairs) == 20
    assert all(pair["split"] == pair["other_split"] for pair in pairs)


def test_ignored_near_duplicates_are_not_searched_for(config):
    assert run(config, "--near-duplicates=ignore") == 0
    assert near_duplicates(config) == []


def test_published_split_is_not_changed_for_near_duplicates(config):
    path = config.out.with_name("data.yaml")
    path.write_text(dump_config(config.model_copy(update={"split": OfficialSplit()})))
    with pytest.raises(ConfigError, match="near_duplicates is group and split"):
        load_config(DataConfig, path, ["--near_duplicates=group"])


@pytest.mark.parametrize("flag", [["--strict"], ["--strict", "--workers=0"], ["--strict", "true"]])
def test_strict_needs_no_value(config, flag):
    (config.root / "normal/smith00.png").write_bytes(b"not an image")
    with pytest.raises(UserError, match=r"smith00\.png: is not an image"):
        run(config, *flag)
    assert not config.out.exists()


def test_keyed_ids_hide_the_names_in_all_shared_files(config, tmp_path):
    key = tmp_path / "key"
    key.write_bytes(bytes(range(32)))
    hashed = config.model_copy(update={"id_key": key, "out": tmp_path / "hashed"})
    prepare(hashed)
    rows = read_manifest(hashed.out / "manifest.csv")
    files = read_private_paths(tmp_path / "key.hashed.paths.csv")
    assert len({files[row.path] for row in rows}) == IMAGES
    assert all((config.root / files[row.path]).is_file() for row in rows)
    assert open_archive(hashed.out).ids == tuple(row.image_id for row in rows)
    for file in hashed.out.iterdir():
        assert b"smith" not in file.read_bytes()
    assert not prepare(hashed)
    key.write_bytes(bytes(32))
    with pytest.raises(UserError, match="other settings or from other files"):
        prepare(hashed)


@pytest.mark.parametrize("workers", [0, 1])
def test_dicom_and_16_bit_files_are_prepared_without_patient_tags(config, workers, capfd):
    for number, syntax in enumerate((JPEGLosslessSV1, RLELossless)):
        levels = np.roll(RAMP, 100 * number)
        data = dicom(levels, 12, syntax, PhotometricInterpretation="MONOCHROME1")
        (config.root / f"normal/smith5{number}.dcm").write_bytes(data)
        (config.root / f"injury/smith6{number}.dcm").write_bytes(data[:-30])
    (config.root / "injury/smith70.png").write_bytes(encode(RAMP[::-1] * 9))
    assert run(config.model_copy(update={"workers": workers})) == 0
    rows = read_manifest(config.out / "manifest.csv")
    archive = open_archive(config.out)
    shown = {row.path: archive[at] for at, row in enumerate(rows)}
    for path in ("normal/smith50.dcm", "normal/smith51.dcm", "injury/smith70.png"):
        image = read_radiograph(config.root / path)
        assert np.array_equal(shown[path], preprocess(image, 32, sigma=2.0))
    written = [path.read_bytes() for path in config.out.iterdir()]
    captured = capfd.readouterr()
    written += [captured.out.encode(), captured.err.encode()]
    assert "smith60.dcm" in (config.out / "rejected.csv").read_text()
    for secret in PATIENT.values():
        assert not any(secret.encode() in content for content in written), secret


def test_real_dicom_and_16_bit_radiographs_are_prepared_through_folder(config, real_radiographs):
    for path in sorted(config.root.rglob("*.jpg")):
        path.unlink()
    for folder in ("dicom", "png16"):
        for number, file in enumerate(sorted((real_radiographs / folder).iterdir())):
            place = config.root / ("normal", "injury")[number] / f"smith_{folder}"
            place.mkdir()
            (place / file.name).write_bytes(file.read_bytes())
    source = FolderSource(
        classes={"normal": 0, "injury": 1}, patient=r"(?P<patient>smith_?[a-z]*\d*)"
    )
    prepare(config.model_copy(update={"source": source}))
    rows = read_manifest(config.out / "manifest.csv")
    assert len(rows) == 24
    assert sorted(row.patient_id for row in rows)[-4:] == ["smith_dicom"] * 2 + ["smith_png16"] * 2


def test_documented_command_gives_the_documented_table_on_the_real_subset(
    real_radiographs, tmp_path, capsys
):
    arguments = {
        "config": str(ROOT / "configs/data/fracatlas.yaml"),
        "root": str(real_radiographs / "fracatlas_upper_limb"),
        "out": str(tmp_path / "out"),
        "preprocess.size": "32",  # The counts do not depend on it.
        "workers": "0",
    }
    assert main([f"--{name}={value}" for name, value in arguments.items()]) == 0
    output = capsys.readouterr().out.replace(str(tmp_path / "out"), "OUT").splitlines()[1:]
    documented = (ROOT / "docs/data.md").read_text().replace("data/prepared/fracatlas_584", "OUT")
    assert "\n".join(output) in documented
    rejected = (tmp_path / "out/rejected.csv").read_text()
    assert rejected.count("which has the other label") == 2
