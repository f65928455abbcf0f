"""Boxes of findings of GRAZPEDWRI-DX, from its labels for YOLOv5."""

import os
import struct
from pathlib import Path

from elbow_core.dataset import Region
from elbow_core.errors import UserError
from elbow_core.files import open_regular, read_regular
from elbow_core.tables import parse_number

LABELS_FOLDER = "folder_structure/yolov5/labels"
CLASSES = (
    *("bone_anomaly", "bone_lesion", "foreign_body", "fracture", "metal", "periosteal_reaction"),
    *("pronator_sign", "soft_tissue", "text"),
)
"""The kinds of boxes in the order of the download's class numbers."""

_NOT_A_FINDING = "text"  # markers of the side, burnt-in words
_MAX_BYTES = 2**20
_PNG = b"\x89PNG\r\n\x1a\n"
_HEADER_BYTES = 24


def read_boxes(labels: Path, image: Path) -> list[Region]:
    """Return the boxes of one image, in its pixels, without those of class ``text``.

    A line of ``labels/STEM.txt`` is a class number and, as shares of the image's width and height,
    the box's centre and size. Parts of a box beyond the image are cut off. No boxes are returned
    for an image without such a file, and for a file that is no PNG, which preparation refuses or
    which has been converted, so that its boxes could be those of another size.

    Raises `UserError`, ``file:line: problem``, for a line of another form, and for a box that is
    empty or outside the image.
    """
    path = labels / f"{image.stem}.txt"
    if not path.is_file():
        return []
    size = _png_size(image)
    if size is None:
        return []
    try:
        lines = read_regular(path, _MAX_BYTES).decode("ascii").splitlines()
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: is not plain text") from error
    boxes = [
        _box(line.split(), size, f"{path}:{k}") for k, line in enumerate(lines, 1) if line.strip()
    ]
    return [box for box in boxes if box.kind != _NOT_A_FINDING]


def _box(words: list[str], size: tuple[int, int], place: str) -> Region:
    if len(words) != 5 or words[0] not in map(str, range(len(CLASSES))):
        raise UserError(
            f"{place}: is not a class from 0 to {len(CLASSES) - 1} with centre x and y, width and "
            "height"
        )
    try:
        x, y, width, height = (parse_number(word, 0, 1) for word in words[1:])
    except ValueError as error:
        raise UserError(f"{place}: {error}") from error
    edges = []
    for centre, extent, pixels in ((x, width, size[0]), (y, height, size[1])):
        start = max(centre - extent / 2, 0.0) * pixels
        end = min(centre + extent / 2, 1.0) * pixels
        if end <= start:
            raise UserError(f"{place}: the box is empty")
        edges.append((start, end - start))
    (left, wide), (top, high) = edges
    return Region(CLASSES[int(words[0])], left, top, wide, high)


def _png_size(image: Path) -> tuple[int, int] | None:
    """Return width and height from the first bytes of a PNG; None for another file."""
    try:
        descriptor = open_regular(image)
        try:
            header = os.read(descriptor, _HEADER_BYTES)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise UserError(f"{image}: cannot be read: {error.strerror}") from error
    if len(header) < _HEADER_BYTES or not header.startswith(_PNG):
        return None
    width, height = struct.unpack(">II", header[16:])
    return (width, height) if width and height else None
