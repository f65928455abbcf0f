"""Folders of small DICOM radiographs, with the tags of a hospital's files, to prepare."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np

from elbow_core.prepare import DataConfig, FractionSplit
from elbow_core.radiographs import Preprocessing
from elbow_core.sources import FolderSource
from tests.support.dicom_files import dicom

CLASSES = ("normal", "injury")


def pixels(seed: int) -> np.ndarray:
    """Return a smooth pattern of 12 bits; each seed gives another."""
    noise = np.random.default_rng(seed).normal(2000, 900, (12, 10)).astype(np.float32)
    image = cv2.resize(noise, (40, 48), interpolation=cv2.INTER_CUBIC)
    return np.clip(image, 0, 4095).astype(np.uint16)


def write_dicom(file: Path, seed: int, **fields: Any) -> Path:
    """Write a computed radiograph for presentation with these tags."""
    tags = {
        "SOPClassUID": "1.2.840.10008.5.1.4.1.1.1",
        "PresentationIntentType": "FOR PRESENTATION",
        "ImageType": ["DERIVED", "PRIMARY"],
        "BodyPartExamined": "ELBOW",
    }
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(dicom(pixels(seed), **(tags | fields)))
    return file


def dicom_config(folder: Path, **changes: Any) -> DataConfig:
    """Return the configuration of ``folder``/root into ``folder``/out, with a key beside them."""
    (folder / "id.key").write_bytes(bytes(range(32)))
    config = DataConfig(
        source=FolderSource(classes={"normal": 0, "injury": 1}),
        root=folder / "root",
        out=folder / "out",
        id_key=folder / "id.key",
        preprocess=Preprocessing(size=32, sigma=2.0),
        split=FractionSplit(train=0.5, validation=0.25, test=0.25),
        near_duplicates="ignore",
        workers=0,
    )
    return DataConfig.model_validate(config.model_dump() | changes)
