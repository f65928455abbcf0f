"""A small folder of images to prepare, and the files of a prepared folder."""

import csv
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

from elbow_core.dataset import (
    ManifestRow,
    PreparedData,
    open_prepared,
    read_manifest,
    write_manifest,
)
from elbow_core.prepare import DataConfig, FractionSplit, prepare
from elbow_core.radiographs import Preprocessing
from elbow_core.sources import FolderSource
from tests.support.tiny_images import make_image, write

FILES = [
    "images-00000.array_record",
    "index.json",
    "manifest.csv",
    "near_duplicates.csv",
    "perceptual_hashes.npy",
    "rejected.csv",
]
KEY = bytes(range(32))
"""A key of hashed ids."""


def write_images(folder: Path) -> DataConfig:
    """Write 24 patients with two images each, half of them injured; return a configuration."""
    root = folder / "root"
    for patient in range(24):
        for image in range(2):
            suffix = (".png", ".jpg")[image]
            label = ("normal", "injury")[patient % 2]
            path = root / label / f"p{patient:02d}_{image}{suffix}"
            write(path, make_image(2 * patient + image, 40 + patient, 48))
    return DataConfig(
        source=FolderSource(
            classes={"normal": 0, "injury": 1}, patient=r"(?P<patient>p\d+)_(?P<study>\d)"
        ),
        root=root,
        out=folder / "out",
        preprocess=Preprocessing(size=32, sigma=2.0),
        split=FractionSplit(train=0.5, validation=0.25, test=0.25),
        workers=0,
    )


def prepare_and_open(
    config: DataConfig, out: Path, seed: int = 0, key: bytes | None = None
) -> PreparedData:
    """Prepare images into ``out``, with the split of a seed, and with hashed ids if a key is given.

    The key is written beside ``out``.
    """
    changes = {"out": out, "split": FractionSplit(train=0.5, validation=0.25, test=0.25, seed=seed)}
    if key is not None:
        out.with_suffix(".key").write_bytes(key)
        changes["id_key"] = out.with_suffix(".key")
    prepare(config.model_copy(update=changes))
    return open_prepared(out)


def edit_manifest(
    prepared: Path, change: Callable[[list[ManifestRow]], Sequence[ManifestRow]]
) -> None:
    """Replace the rows in the manifest of a prepared folder by those that ``change`` returns."""
    write_manifest(prepared / "manifest.csv", change(read_manifest(prepared / "manifest.csv")))


def edited(
    data: PreparedData, folder: Path, change: Callable[[list[ManifestRow]], Sequence[ManifestRow]]
) -> Path:
    """Copy prepared data into a new folder, with an edited manifest; return the folder."""
    shutil.copytree(data.directory, folder)
    edit_manifest(folder, change)
    return folder


def rejected(config: DataConfig) -> dict[str, str]:
    with (config.out / "rejected.csv").open(newline="") as file:
        return {line["path"]: line["reason"] for line in csv.DictReader(file)}
