"""JPEG files with many scans, parts or stray bytes, and with another size in the header."""

import struct

import cv2
import numpy as np

from tests.support.tiny_images import make_image


def jpeg(side: int = 64, *, progressive: bool = True, colour: bool = False) -> bytes:
    image = make_image(0, side, side)
    image = np.dstack([image, image // 2, image]) if colour else image
    return encode_jpeg(image, progressive)


def encode_jpeg(image: np.ndarray, progressive: bool) -> bytes:
    options = [cv2.IMWRITE_JPEG_PROGRESSIVE, int(progressive)]
    return cv2.imencode(".jpg", image, options)[1].tobytes()


def jpeg_of_scans(count: int, side: int | None = None) -> bytes:
    """Return a progressive JPEG whose last scan is repeated; ``side`` changes its header alone."""
    data = resized(jpeg(), side, side) if side else jpeg()
    last = data.rindex(b"\xff\xda")
    return data[:last] + data[last:-2] * count + b"\xff\xd9"


def resized(data: bytes, height: int, width: int) -> bytes:
    """Return a JPEG with another size in its header."""
    frame = next(data.index(mark) for mark in (b"\xff\xc2", b"\xff\xc0") if mark in data)
    return data[: frame + 5] + struct.pack(">HH", height, width) + data[frame + 9 :]


def in_jpeg(part: bytes, count: int) -> bytes:
    """Return a JPEG with many equal parts after its start."""
    data = jpeg(progressive=False)
    return data[:2] + part * count + data[2:]


def jpeg_with_stray_bytes(side: int) -> bytes:
    """Return a JPEG of many scans with stray bytes after each."""
    data = resized(jpeg(), side, side)
    parts = data.split(b"\xff\xda")
    return (b"\0" * 9 + b"\xff\xda").join(parts)
