"""Segments, the files of an archive: raw pixels, one image a record, written by one process."""

import hashlib
import threading
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from array_record.python.array_record_module import ArrayRecordReader, ArrayRecordWriter
from jaxtyping import UInt8

from elbow_core.errors import ArchiveError, MachineError
from elbow_core.files import atomic_file

# One image a record, so that a random read touches one image. Uncompressed, since sharpened pixels
# compress little and decompression costs time at every read: docs/decisions/data.md.
_WRITER_OPTIONS = "group_size:1,uncompressed"
_READER_OPTIONS = "readahead_buffer_size:0,max_parallelism:0"
_SAMPLED_IMAGES = 3  # Of each segment.
_MIN_SEGMENT_LENGTH = 64
_MAX_SEGMENTS = 256
_THREADS = 64  # that array_record starts with its first file, and waits for ever if it cannot


@dataclass(frozen=True, slots=True)
class Segment:
    """One file of an archive, as the index describes it."""

    count: int
    bytes: int
    sample: str
    """SHA-256 of the number of images and of a few of them: all would take seconds to read."""


def segment_length(images: int) -> int:
    """Return the number of images in one segment of an archive of ``images``.

    At least 64. Small, so that an interruption loses little work and processes share the work
    evenly, but large enough that no archive has more than 256 files to keep open.
    """
    return max(_MIN_SEGMENT_LENGTH, -(-images // _MAX_SEGMENTS))


def segment_path(directory: Path, number: int) -> Path:
    """Return the path of a segment; ``number`` counts from 0."""
    return directory / f"images-{number:05d}.array_record"


def write_segment(
    path: Path, size: int, images: Iterable[tuple[str, UInt8[np.ndarray, "height width"]]]
) -> Segment:
    """Write (id, image) pairs, ``size`` pixels a side, as one file.

    Raises `ArchiveError` that names the first image of another size, and if the file cannot be
    written.
    """
    _require_threads()
    try:
        # Atomic, since a worker whose parent was killed may continue to write for a moment.
        with atomic_file(path) as partial:
            count = _write_records(partial, size, images)
    except RuntimeError as error:
        raise ArchiveError(f"{path}: cannot be written: {error}") from error
    return Segment(count, path.stat().st_size, _sample_digest(path, count))


def _write_records(path: Path, size: int, images: Iterable[tuple[str, np.ndarray]]) -> int:
    writer = ArrayRecordWriter(str(path), _WRITER_OPTIONS)
    count = 0
    try:
        for image_id, image in images:
            if image.shape != (size, size):
                raise ArchiveError(f"{image_id}: is {image.shape}, the archive's side is {size}")
            writer.write(image.tobytes())
            count += 1
        writer.close()
    finally:
        with suppress(RuntimeError):  # An error of closing would hide the one from the loop.
            if writer.is_open():
                writer.close()
    return count


def check_segment(path: Path, segment: Segment) -> None:
    """Check a file's length, its number of images and the digest of a few of them.

    Raises `ArchiveError` if one of them differs from ``segment``.
    """
    if not path.is_file():
        raise ArchiveError(f"{path}: is missing; prepare it again")
    if path.stat().st_size != segment.bytes:
        raise ArchiveError(
            f"{path}: has {path.stat().st_size} bytes where its index says {segment.bytes}: "
            "it is cut short or from another run; prepare it again"
        )
    if _sample_digest(path, segment.count) != segment.sample:
        raise ArchiveError(f"{path}: does not match its index; prepare it again")


def open_segment(path: Path) -> ArrayRecordReader:
    """Open a segment for reading one image at a time; raises `ArchiveError`."""
    _require_threads()
    try:
        return ArrayRecordReader(str(path), _READER_OPTIONS, file_reader_buffer_size=32768)
    except (RuntimeError, ValueError) as error:
        raise ArchiveError(f"{path}: is damaged; prepare it again") from error


@cache
def _require_threads() -> None:
    """Raise `MachineError` unless this process may start as many threads as array_record does."""
    end = threading.Event()
    threads = [threading.Thread(target=end.wait) for _ in range(_THREADS)]
    started = 0
    try:
        for thread in threads:
            thread.start()
            started += 1
    except RuntimeError as error:
        raise MachineError(
            f"the archive needs {_THREADS} threads, and no more than {started} can be started; "
            "allow more memory (ulimit -v) or processes (ulimit -u)"
        ) from error
    finally:
        end.set()
        for thread in threads[:started]:
            thread.join()


def _sample_digest(path: Path, count: int) -> str:
    digest = hashlib.sha256(str(count).encode())
    positions = np.unique(
        np.linspace(0, count - 1, min(count, _SAMPLED_IMAGES)).astype(int)
    ).tolist()
    reader = open_segment(path)
    try:
        if reader.num_records() != count:
            return ""
        for record in reader.read(positions) if positions else []:
            digest.update(record)
        reader.close()  # Also raises if the file is damaged.
    except (RuntimeError, IndexError) as error:
        raise ArchiveError(f"{path}: is damaged; prepare it again") from error
    return digest.hexdigest()
