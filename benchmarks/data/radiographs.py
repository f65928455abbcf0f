"""A folder of synthetic radiographs, and the configuration that prepares it."""

from pathlib import Path

import cv2
import numpy as np

from elbow_core.prepare import DataConfig, FractionSplit
from elbow_core.radiographs import Preprocessing
from elbow_core.sources import FolderSource
from elbow_core.sources.synthetic import render_radiograph

RENDERED = 48  # images, each written several times: rendering takes longer than preparing
SIZE = 584
SETTINGS = Preprocessing(size=SIZE)


def write_images(root: Path, count: int, height: int = 900, width: int = 720) -> list[Path]:
    """Write ``count`` JPEGs, half of each class, no two byte-identical."""
    encoded = []
    for number in range(RENDERED):
        rng = np.random.default_rng([7, number])
        image = render_radiograph(
            rng, "ap", ("normal", "olecranon_fracture")[number % 2], 360
        ).pixels
        image = cv2.resize(image, (width, height), interpolation=cv2.INTER_CUBIC)
        encoded.append(cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 92])[1].tobytes())
    paths = []
    for number in range(count):
        path = root / ("normal", "injury")[number % 2] / f"p{number:05d}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        # Decoders stop at the end marker; the number after it makes the file unique.
        path.write_bytes(encoded[number % RENDERED] + number.to_bytes(4, "big"))
        paths.append(path)
    return paths


def configure(root: Path, out: Path, workers: int, size: int = SIZE) -> DataConfig:
    """Return the configuration of a folder with two classes and one patient a file."""
    return DataConfig(
        source=FolderSource(classes={"normal": 0, "injury": 1}),
        root=root,
        out=out,
        preprocess=Preprocessing(size=size, sigma=max(SETTINGS.sigma * size / SIZE, 0.5)),
        split=FractionSplit(),
        near_duplicates="ignore",
        workers=workers,
    )
