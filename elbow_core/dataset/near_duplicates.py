"""Near-duplicates: images whose perceptual hashes are close although their bytes differ."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Int, UInt8

from elbow_core.dataset.manifest import LABEL_NAMES, ManifestRow
from elbow_core.errors import ArchiveError, ManifestError
from elbow_core.files import read_regular
from elbow_core.identity import normalise_id
from elbow_core.tables import parse_whole_number, read_csv_table, write_csv_table

COLUMNS = ("image_id", "other_id", "bits", "split", "other_split", "label", "other_label")
HASHES_FILE = "perceptual_hashes.npy"
MAX_NEAR_BITS = 32
"""Two images are near-duplicates if at most this many of their 256 bits differ."""

_FREQUENCIES = 16
_REDUCED = 32
_SAMPLES = 4  # Per axis, averaged into one reduced pixel: accurate enough, and fast.
_ROWS, _COLUMNS = 16, 4096  # Of a block of comparisons, which fits in a core's cache.
_MAX_PAIRS = 2_000_000
_MAX_HEADER = 1 << 12  # bytes before the values of a .npy file


@dataclass(frozen=True, slots=True)
class NearPair:
    """Two images that look the same: their ids, and the bits in which their hashes differ."""

    image_id: str
    other_id: str
    bits: int


def perceptual_hash(image: UInt8[np.ndarray, "height width"]) -> UInt8[np.ndarray, "32"]:
    """Return 256 bits that change little with an image's size, exposure or encoding.

    Each bit says whether one of the 16 x 16 lowest frequencies of the image's cosine transform,
    reduced to 32 x 32 pixels, is above their median; the constant term is ignored. Flipping the
    image, or cropping more than a narrow border, changes the bits.

    Reference: Zauner, "Implementation and benchmarking of perceptual image hash functions" (2010),
    DCT hash, with more frequencies: radiographs of the same limb share the lowest ones.
    """
    step = max(min(image.shape) // (_SAMPLES * _REDUCED), 1)
    sampled = np.ascontiguousarray(image[::step, ::step])
    reduced = cv2.resize(sampled, (_REDUCED, _REDUCED), interpolation=cv2.INTER_AREA)
    lowest = cv2.dct(reduced.astype(np.float32))[:_FREQUENCIES, :_FREQUENCIES].ravel()
    bits = lowest > np.sort(lowest[1:])[(len(lowest) - 1) // 2]
    bits[0] = False
    return np.packbits(bits)


def find_near_duplicates(
    hashes: UInt8[np.ndarray, "images 32"], max_bits: int = MAX_NEAR_BITS
) -> Int[np.ndarray, "pairs 3"]:
    """Return (first, second, distance in bits) for the images at most ``max_bits`` apart.

    Sorted by image. Images with equal hashes are each paired with the first of them only, and only
    that one is paired with others. Memory is not quadratic in the number of images.

    Raises `ManifestError` above two million pairs: such images are too similar to be distinguished.
    """
    distinct, first, index = np.unique(hashes, axis=0, return_index=True, return_inverse=True)
    index = index.reshape(-1)
    repeated = np.flatnonzero(first[index] != np.arange(len(hashes)))
    found = [np.stack([first[index[repeated]], repeated, np.zeros_like(repeated)], axis=1)]
    words = np.ascontiguousarray(distinct).view(np.uint64).T.copy()
    total = len(repeated)
    for top in range(0, len(distinct), _ROWS):
        for left in range(top, len(distinct), _COLUMNS):
            distance = _distances(words[:, top : top + _ROWS], words[:, left : left + _COLUMNS])
            row, column = np.nonzero(distance <= max_bits)
            later = left + column > top + row
            row, column = row[later], column[later]
            pairs = np.sort(np.stack([first[top + row], first[left + column]], axis=1), axis=1)
            found.append(np.column_stack([pairs, distance[row, column]]))
            total += len(pairs)
            if total > _MAX_PAIRS:
                raise ManifestError(
                    f"more than {_MAX_PAIRS} pairs of images look the same, too many to be near-"
                    "duplicates; check the images, or set near_duplicates: ignore"
                )
    pairs = np.concatenate(found)
    return pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))]


def find_near_duplicates_between(
    hashes: UInt8[np.ndarray, "images 32"],
    others: UInt8[np.ndarray, "others 32"],
    max_bits: int = MAX_NEAR_BITS,
) -> Int[np.ndarray, "pairs 3"]:
    """Return (image, other, distance in bits) for images of two sets at most ``max_bits`` apart.

    Sorted by image, then by other. Memory is not proportional to the product of the two.
    """
    columns = np.ascontiguousarray(others).view(np.uint64).T.copy()
    words = np.ascontiguousarray(hashes).view(np.uint64).T.copy()
    found = [np.zeros((0, 3), np.int64)]
    for top in range(0, len(hashes), _ROWS):
        for left in range(0, len(others), _COLUMNS):
            distance = _distances(words[:, top : top + _ROWS], columns[:, left : left + _COLUMNS])
            row, column = np.nonzero(distance <= max_bits)
            found.append(np.column_stack([top + row, left + column, distance[row, column]]))
    pairs = np.concatenate(found)
    return pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))]


def write_near_duplicates(
    path: Path, rows: Sequence[ManifestRow], pairs: Int[np.ndarray, "pairs 3"]
) -> None:
    """Write pairs of ``rows`` as CSV: ids, distance in bits, splits and labels."""
    write_csv_table(
        path,
        COLUMNS,
        (
            (
                rows[first].image_id,
                rows[second].image_id,
                distance,
                rows[first].split,
                rows[second].split,
                LABEL_NAMES[rows[first].label],
                LABEL_NAMES[rows[second].label],
            )
            for first, second, distance in pairs.tolist()
        ),
    )


def read_near_duplicates(path: Path) -> list[NearPair]:
    """Read a table of `write_near_duplicates`; splits and labels are those of the manifest.

    Raises `ManifestError`, with file and line where there is one.
    """

    def check_columns(columns: tuple[str, ...], place: str) -> None:
        if columns != COLUMNS:
            raise ManifestError(f"{place}: the header must be {','.join(COLUMNS)}")

    table = read_csv_table(path, ManifestError, check_columns)
    pairs = []
    for row in table.rows:
        try:
            bits = parse_whole_number(row.cells["bits"])
        except ValueError as error:
            raise ManifestError(f"{table.place(row)}: bits: {error}") from error
        pairs.append(NearPair(row.cells["image_id"], row.cells["other_id"], bits))
    return pairs


def read_hashes(directory: Path, images: int) -> UInt8[np.ndarray, "images 32"] | None:
    """Return the perceptual hashes of a prepared directory, None if it has none.

    Raises `ArchiveError` if the file is damaged, or not of this number of images.
    """
    path = directory / HASHES_FILE
    try:
        content = read_regular(path, _MAX_HEADER + 32 * images)
        header = io.BytesIO(content)
        if np.lib.format.read_magic(header) != (1, 0):
            raise ValueError("is of another version")
        shape, by_columns, kind = np.lib.format.read_array_header_1_0(header)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ArchiveError(f"{path}: cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise ArchiveError(f"{path}: is damaged; prepare it again") from error
    # The header is checked before memory of its size is taken.
    if shape != (images, 32) or kind != np.uint8 or by_columns:
        raise ArchiveError(
            f"{path}: does not hold the perceptual hashes of {images} images; prepare it again"
        )
    if len(content) != header.tell() + 32 * images:
        raise ArchiveError(f"{path}: is damaged; prepare it again")
    return np.frombuffer(content, np.uint8, offset=header.tell()).reshape(images, 32)


def between_patients(
    rows: Sequence[ManifestRow], pairs: Int[np.ndarray, "pairs 3"]
) -> Int[np.ndarray, "kept 3"]:
    """Return the pairs of different patients; images of one patient are in one split anyway."""
    ids = [normalise_id(row.patient_id) for row in rows]
    patients = np.unique(ids, return_inverse=True)[1]
    return pairs[patients[pairs[:, 0]] != patients[pairs[:, 1]]]


def _distances(rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Return the Hamming distance of hashes, uint16 [rows, columns], from words [4, ...]."""
    total = np.zeros((rows.shape[1], columns.shape[1]), np.uint16)
    for row_words, column_words in zip(rows, columns, strict=True):
        total += np.bitwise_count(row_words[:, None] ^ column_words[None])
    return total
