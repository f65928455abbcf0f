"""Small images and rows for the tests of the data path."""

import struct
import zlib
from pathlib import Path

import cv2
import numpy as np

from elbow_core.dataset import ManifestRow


def make_image(seed: int, height: int = 48, width: int = 40) -> np.ndarray:
    """Return a bright bar on noise; each seed gives another image."""
    rng = np.random.default_rng(seed)
    image = rng.integers(0, 60, (height, width))
    image[:, width // 3 : width // 2] += 120
    return image.astype(np.uint8)


def encode(image: np.ndarray, suffix: str = ".png") -> bytes:
    success, data = cv2.imencode(suffix, image)
    assert success
    return data.tobytes()


def write(path: Path, image: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(encode(image, path.suffix))
    return path


def png_chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png_header(width: int, height: int, colour: int = 0, bits: int = 8) -> bytes:
    """Return the signature and header of a PNG, without image data."""
    header = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", header)


def row(image_id: str, **changes: object) -> ManifestRow:
    """Return a row of the elbow set, by default of its own patient."""
    values: dict[str, object] = {
        "image_id": image_id,
        "path": f"{image_id}.png",
        "label": 0,
        "split": "",
        "patient_id": image_id,
        "study_id": f"{image_id}/1",
        "view": "ap",
        "body_part": "elbow",
        "finding": "normal",
        "source": "elbow",
    }
    return ManifestRow(**(values | changes))  # pyright: ignore[reportArgumentType]
