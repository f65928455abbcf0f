"""Images that show the same picture though their bytes differ."""

import csv
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Int, UInt8

from elbow_core.dataset.manifest import LABEL_NAMES, ManifestRow
from elbow_core.errors import ManifestError
from elbow_core.files import atomic_file

COLUMNS = ("image_id", "other_id", "bits", "split", "other_split", "label", "other_label")
HASHES = "perceptual_hashes.npy"
NEAR = 32
"""Bits of 256 in which two pictures may differ and still count as the same one."""

_FREQUENCIES = 16
_REDUCED = 32
_SAMPLES = 4  # Along each axis, averaged into one of the reduced pixels: enough, and fast.
_ROWS, _COLUMNS = 16, 4096  # Of a block of comparisons, which stays in a core's cache.
_MOST_PAIRS = 2_000_000


def perceptual_hash(image: UInt8[np.ndarray, "height width"]) -> UInt8[np.ndarray, "32"]:
    """Return 256 bits that copies of a picture share, whatever their size, exposure or encoding.

    Each bit says whether one of the 16 x 16 lowest frequencies of the image's cosine transform,
    reduced to 32 x 32 pixels, lies above their median; the constant term does not count. Turning
    the picture over, or cutting off more than a rim of it, changes the bits.

    Reference: Zauner, "Implementation and benchmarking of perceptual image hash functions" (2010),
    DCT hash, with more frequencies: radiographs of one limb share the lowest.
    """
    step = max(min(image.shape) // (_SAMPLES * _REDUCED), 1)
    sampled = np.ascontiguousarray(image[::step, ::step])
    reduced = cv2.resize(sampled, (_REDUCED, _REDUCED), interpolation=cv2.INTER_AREA)
    lowest = cv2.dct(reduced.astype(np.float32))[:_FREQUENCIES, :_FREQUENCIES].ravel()
    bits = lowest > np.sort(lowest[1:])[(len(lowest) - 1) // 2]
    bits[0] = False
    return np.packbits(bits)


def find_near_duplicates(
    hashes: UInt8[np.ndarray, "images 32"], most_bits: int = NEAR
) -> Int[np.ndarray, "pairs 3"]:
    """Return (first, second, distance in bits) for the images at most ``most_bits`` apart.

    Sorted by image. Of images with the very same hash each is paired with the first only, and only
    the first with others. Memory does not grow with the square of the images.

    Raises `ManifestError` above two million pairs: such images are too alike to be told apart.
    """
    distinct, first, of = np.unique(hashes, axis=0, return_index=True, return_inverse=True)
    of = of.reshape(-1)
    others = np.flatnonzero(first[of] != np.arange(len(hashes)))
    found = [np.stack([first[of[others]], others, np.zeros_like(others)], axis=1)]
    words = np.ascontiguousarray(distinct).view(np.uint64).T.copy()
    total = len(others)
    for top in range(0, len(distinct), _ROWS):
        for left in range(top, len(distinct), _COLUMNS):
            distance = _distances(words[:, top : top + _ROWS], words[:, left : left + _COLUMNS])
            row, column = np.nonzero(distance <= most_bits)
            later = left + column > top + row
            row, column = row[later], column[later]
            pairs = np.sort(np.stack([first[top + row], first[left + column]], axis=1), axis=1)
            found.append(np.column_stack([pairs, distance[row, column]]))
            total += len(pairs)
            if total > _MOST_PAIRS:
                raise ManifestError(
                    f"more than {_MOST_PAIRS} pairs of images look alike, too many to be near-"
                    "duplicates; look at the images, or set near_duplicates: ignore"
                )
    pairs = np.concatenate(found)
    return pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))]


def find_near_duplicates_between(
    hashes: UInt8[np.ndarray, "images 32"],
    others: UInt8[np.ndarray, "others 32"],
    most_bits: int = NEAR,
) -> Int[np.ndarray, "pairs 3"]:
    """Return (image, other, distance in bits) for images of two sets at most ``most_bits`` apart.

    Sorted by image, then by other. Memory does not grow with the product of the two.
    """
    columns = np.ascontiguousarray(others).view(np.uint64).T.copy()
    words = np.ascontiguousarray(hashes).view(np.uint64).T.copy()
    found = [np.zeros((0, 3), np.int64)]
    for top in range(0, len(hashes), _ROWS):
        for left in range(0, len(others), _COLUMNS):
            distance = _distances(words[:, top : top + _ROWS], columns[:, left : left + _COLUMNS])
            row, column = np.nonzero(distance <= most_bits)
            found.append(np.column_stack([top + row, left + column, distance[row, column]]))
    pairs = np.concatenate(found)
    return pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))]


def write_near_duplicates(
    path: Path, rows: Sequence[ManifestRow], pairs: Int[np.ndarray, "pairs 3"]
) -> None:
    """Write pairs of ``rows`` as CSV, with the bits between them, their splits and their labels."""
    with atomic_file(path) as partial, partial.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        for first, second, distance in pairs.tolist():
            one, other = rows[first], rows[second]
            writer.writerow(
                (
                    one.image_id,
                    other.image_id,
                    distance,
                    one.split,
                    other.split,
                    LABEL_NAMES[one.label],
                    LABEL_NAMES[other.label],
                )
            )


def between_patients(
    rows: Sequence[ManifestRow], pairs: Int[np.ndarray, "pairs 3"]
) -> Int[np.ndarray, "kept 3"]:
    """Leave out the pairs within one patient, whose images stay together anyway."""
    patients = np.unique([row.patient_id for row in rows], return_inverse=True)[1]
    return pairs[patients[pairs[:, 0]] != patients[pairs[:, 1]]]


def _distances(rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Return the bits in which hashes differ, uint16 [rows, columns], from words [4, ...]."""
    total = np.zeros((rows.shape[1], columns.shape[1]), np.uint16)
    for row_words, column_words in zip(rows, columns, strict=True):
        total += np.bitwise_count(row_words[:, None] ^ column_words[None])
    return total
