"""The two passes over a data set's files: digest and check them all, then decode and archive."""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np

from elbow_core.archive import ArchiveWriter
from elbow_core.errors import RadiographError
from elbow_core.manifest import ManifestRow
from elbow_core.preprocess import Preprocessing, preprocess
from elbow_core.progress import track
from elbow_core.radiograph import check_radiograph, decode_radiograph, read_bytes
from elbow_core.sources import Rejection
from elbow_core.worker_pool import WorkerPool

Result = TypeVar("Result")


def digest_images(
    pool: WorkerPool, root: Path, rows: Sequence[ManifestRow], strict: bool
) -> tuple[list[ManifestRow], list[Rejection]]:
    """Return the rows with their files' SHA-256, and what cannot be an image by its first bytes.

    Raises `RadiographError` for the first such file where ``strict``.
    """
    found = pool.map(partial(_digest_file, root), [row.path for row in rows])
    digested: list[ManifestRow] = []
    rejected: list[Rejection] = []
    for row, digest in _readable(zip(rows, found, strict=True), rejected, strict, "read", rows):
        digested.append(replace(row, sha256=digest))
    return digested, rejected


def archive_images(
    pool: WorkerPool,
    root: Path,
    rows: Sequence[ManifestRow],
    settings: Preprocessing,
    writer: ArchiveWriter,
    strict: bool,
) -> tuple[list[ManifestRow], list[Rejection]]:
    """Append each image to the archive, and return the rows with their sizes, and what failed.

    Raises `RadiographError` for the first file that cannot be decoded where ``strict``.
    """
    found = pool.map(partial(_prepare_file, root, settings), [row.path for row in rows])
    prepared: list[ManifestRow] = []
    rejected: list[Rejection] = []
    for row, image in _readable(zip(rows, found, strict=True), rejected, strict, "prepare", rows):
        writer.append(row.image_id, image.pixels)
        prepared.append(replace(row, height=image.height, width=image.width))
    return prepared, rejected


@dataclass(frozen=True, slots=True)
class _PreparedImage:
    """Preprocessed pixels, and the size of the file's image."""

    pixels: np.ndarray
    height: int
    width: int


def _digest_file(root: Path, path: str) -> str | RadiographError:
    file = root / path
    try:
        data = read_bytes(file)
        check_radiograph(data, str(file))
    except RadiographError as error:
        return error
    return hashlib.sha256(data).hexdigest()


def _prepare_file(
    root: Path, settings: Preprocessing, path: str
) -> _PreparedImage | RadiographError:
    file = root / path
    try:
        image = decode_radiograph(read_bytes(file), str(file))
    except RadiographError as error:
        return error
    height, width = image.shape
    return _PreparedImage(preprocess(image, **settings.model_dump()), height, width)


def _readable(
    found: Iterable[tuple[ManifestRow, Result | RadiographError]],
    rejected: list[Rejection],
    strict: bool,
    what: str,
    rows: Sequence[ManifestRow],
) -> Iterator[tuple[ManifestRow, Result]]:
    """Yield what succeeded; what did not is noted, or raised where ``strict``."""
    for row, result in track(found, len(rows), what):
        if not isinstance(result, RadiographError):
            yield row, result
        elif strict:
            raise result
        else:
            # The error names the file by its place on this machine, which the table must not.
            rejected.append(Rejection(row.path, str(result).rpartition(f"{row.path}: ")[2]))
