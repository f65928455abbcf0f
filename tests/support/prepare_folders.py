"""A small folder of images to prepare, and the files of a prepared folder."""

import csv
from pathlib import Path

from elbow_core.prepare import DataConfig, FractionSplit
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


def rejected(config: DataConfig) -> dict[str, str]:
    with (config.out / "rejected.csv").open(newline="") as file:
        return {line["path"]: line["reason"] for line in csv.DictReader(file)}
