"""The files of an archive: segments of raw pixels, each written by one process, and their index."""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from array_record.python.array_record_module import ArrayRecordReader, ArrayRecordWriter
from jaxtyping import UInt8

from elbow_core.errors import ArchiveError
from elbow_core.files import atomic_file

INDEX = "index.json"

_FORMAT = 2
_KEYS = {"format", "size", "settings", "fingerprint", "segments", "ids"}
# One image a record, so that a random read touches one image. Sharpened pixels compress little for
# the time that it takes, at every reading too; docs/decisions.md has the figures.
_WRITER_OPTIONS = "group_size:1,uncompressed"
_READER_OPTIONS = "readahead_buffer_size:0,max_parallelism:0"
_SAMPLED = 3  # of each segment
_LEAST_SEGMENT = 64
_MOST_SEGMENTS = 256


@dataclass(frozen=True, slots=True)
class Segment:
    """One file of an archive, as the index describes it."""

    count: int
    bytes: int
    sample: str
    """Digest of a few of its images: reading all would take seconds on every start."""


def segment_length(images: int) -> int:
    """Return how many images go into one file.

    Few enough that little work is lost with an unfinished file and that processes share evenly;
    many enough that no archive needs more than 256 files open.
    """
    return max(_LEAST_SEGMENT, -(-images // _MOST_SEGMENTS))


def segment_path(directory: Path, number: int) -> Path:
    """Return where the segment of this number, from 0, lies."""
    return directory / f"images-{number:05d}.array_record"


def write_segment(
    path: Path, size: int, images: Iterable[tuple[str, UInt8[np.ndarray, "height width"]]]
) -> Segment:
    """Write (id, image) pairs, ``size`` pixels a side, as one file.

    Raises `ArchiveError` for an image of another size, which it names, and where the file cannot
    be written.
    """
    try:
        # Aside, since a process whose parent was killed may write on for a moment.
        with atomic_file(path) as partial:
            count = _write_records(partial, size, images)
    except RuntimeError as error:
        raise ArchiveError(f"{path}: cannot be written: {error}") from error
    return Segment(count, path.stat().st_size, _sample(path, count))


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
        with suppress(RuntimeError):  # It would hide the error that ended the loop.
            if writer.is_open():
                writer.close()
    return count


def check_segment(path: Path, segment: Segment) -> None:
    """Raise `ArchiveError`, saying what to do, where the file is not the one described.

    Its length, its number of images and the digest of a few of them must be the same.
    """
    if not path.is_file():
        raise ArchiveError(f"{path}: is missing; prepare it again")
    if path.stat().st_size != segment.bytes:
        raise ArchiveError(
            f"{path}: has {path.stat().st_size} bytes where its index says {segment.bytes}: "
            "it is cut short or from another run; prepare it again"
        )
    if _sample(path, segment.count) != segment.sample:
        raise ArchiveError(f"{path}: is not what its index describes; prepare it again")


def open_segment(path: Path) -> ArrayRecordReader:
    """Open a segment for reading one image at a time; raises `ArchiveError`."""
    try:
        return ArrayRecordReader(str(path), _READER_OPTIONS, file_reader_buffer_size=32768)
    except (RuntimeError, ValueError) as error:
        raise ArchiveError(f"{path}: is damaged; prepare it again") from error


def write_index(
    directory: Path,
    ids: Sequence[str],
    segments: Sequence[Segment],
    settings: Mapping[str, Any],
    fingerprint: str,
) -> None:
    """Write the index that makes segments an archive; ``settings`` must name the ``size``.

    ``fingerprint`` stands for everything that the archive was made from. Raises `ArchiveError`
    where an id stands twice, or ids and images differ in number.
    """
    if sum(segment.count for segment in segments) != len(ids):
        raise ArchiveError(f"{directory}: as many images as ids are needed")
    if repeated := [one for one, count in Counter(ids).items() if count > 1]:
        raise ArchiveError(f"{repeated[0]}: stands twice")
    index = {
        "format": _FORMAT,
        "size": settings["size"],
        "settings": dict(settings),
        "fingerprint": fingerprint,
        "segments": [asdict(segment) for segment in segments],
        "ids": list(ids),
    }
    with atomic_file(directory / INDEX) as partial:
        partial.write_text(json.dumps(index, indent=1) + "\n", encoding="utf-8")


def read_index(path: Path) -> dict[str, Any]:
    """Return an index whose parts agree, its segments as `Segment`; raises `ArchiveError`."""
    try:
        index = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ArchiveError(f"{path}: is missing; run python -m elbow_core.prepare") from error
    except OSError as error:
        raise ArchiveError(f"{path}: cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise ArchiveError(f"{path}: is not JSON; prepare it again") from error
    if not isinstance(index, dict) or index.get("format") != _FORMAT or set(index) != _KEYS:
        raise ArchiveError(f"{path}: is not an index of format {_FORMAT}; prepare it again")
    try:
        segments = [Segment(**segment) for segment in index["segments"]]
        images = sum(segment.count for segment in segments)
        agrees = images == len(index["ids"]) and index["settings"].get("size") == index["size"]
    except (TypeError, AttributeError):
        agrees = False
    if not agrees:
        raise ArchiveError(f"{path}: contradicts itself; prepare it again")
    return index | {"segments": segments}


def _sample(path: Path, count: int) -> str:
    digest = hashlib.sha256(str(count).encode())
    positions = np.unique(np.linspace(0, count - 1, min(count, _SAMPLED)).astype(int)).tolist()
    reader = open_segment(path)
    try:
        if reader.num_records() != count:
            return ""
        for record in reader.read(positions) if positions else []:
            digest.update(record)
        reader.close()  # Raises, too, where the file is damaged.
    except (RuntimeError, IndexError) as error:
        raise ArchiveError(f"{path}: is damaged; prepare it again") from error
    return digest.hexdigest()
