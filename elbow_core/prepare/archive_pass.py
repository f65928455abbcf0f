"""The second pass over the files of a data set: decode, preprocess and archive each image."""

import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8

from elbow_core.dataset import (
    ManifestRow,
    Segment,
    check_segment,
    perceptual_hash,
    segment_length,
    segment_path,
    write_segment,
)
from elbow_core.errors import ArchiveError, ManifestError, RadiographError
from elbow_core.files import read_json
from elbow_core.prepare.rejections import reason_of
from elbow_core.prepare.resumable_folder import write_json
from elbow_core.processes import WorkerPool
from elbow_core.progress import track
from elbow_core.radiographs import (
    Preprocessing,
    decode_radiograph,
    memory_trouble,
    preprocess,
    read_bytes,
)
from elbow_core.sources import Rejection

_HASH = re.compile("[0-9a-f]{64}")
_MAX_RECORD = 1 << 28


@dataclass(frozen=True, slots=True)
class ArchivedImages:
    """The result of the second pass."""

    rows: list[ManifestRow]
    """The rows of the archived images, in the archive's order, with height and width."""
    segments: list[Segment]
    hashes: UInt8[np.ndarray, "images 32"]
    """Perceptual hashes, in the same order."""
    rejected: list[Rejection]


def archive_images(
    pool: WorkerPool,
    root: Path,
    rows: Sequence[ManifestRow],
    settings: Preprocessing,
    directory: Path,
    work: Path,
    strict: bool,
) -> ArchivedImages:
    """Decode, preprocess and write every image to segments in ``directory``.

    One process reads, computes and writes a whole segment, so that no pixels are sent between
    processes. The rows of a segment depend only on the number of rows. A segment that ``work``
    records as finished is kept.

    If ``strict``, raises `RadiographError` for the first file that cannot be decoded. Raises
    `ManifestError` for a file that is not the one of the first pass, and `MachineError` for one
    that cannot be read or for which memory is short.
    """
    length = segment_length(len(rows))
    tasks = [
        _Task(number, tuple((row.path, row.sha256) for row in rows[first : first + length]))
        for number, first in enumerate(range(0, len(rows), length))
    ]
    finished = {task.number for task in tasks if _is_finished(directory, work, task)}
    missing = [task for task in tasks if task.number not in finished]
    prepare = partial(_prepare_segment, root, settings, directory, work, strict)
    done = sum(len(task.files) for task in tasks if task.number in finished)
    for _ in track(_count_images(pool, prepare, missing), len(rows), "prepare", done):
        pass
    return _collect(rows, work, len(tasks))


@dataclass(frozen=True, slots=True)
class _Task:
    """The files of one segment."""

    number: int
    files: tuple[tuple[str, str], ...]
    """Path and SHA-256 of each."""


def _prepare_segment(
    root: Path, settings: Preprocessing, directory: Path, work: Path, strict: bool, task: _Task
) -> int:
    """Write a segment, then its record; return the number of files read."""
    outcomes: list[dict[str, Any]] = []
    images = _prepared_images(root, settings, strict, task.files, outcomes)
    segment = write_segment(segment_path(directory, task.number), settings.size, images)
    record = {"segment": asdict(segment), "images": outcomes}
    write_json(_record_path(work, task.number), record)
    return len(task.files)


def _prepared_images(
    root: Path,
    settings: Preprocessing,
    strict: bool,
    files: Iterable[tuple[str, str]],
    outcomes: list[dict[str, Any]],
) -> Iterator[tuple[str, np.ndarray]]:
    """Yield (path, pixels) of the files that can be decoded; append an outcome for every file.

    Raises `ManifestError` for a file whose content is not that of the first pass.
    """
    for path, sha256 in files:
        file = root / path
        data = read_bytes(file)
        if hashlib.sha256(data).hexdigest() != sha256:
            raise ManifestError(f"{file}: changed while it was prepared; give the command again")
        try:
            image = decode_radiograph(data, str(file))
        except RadiographError as error:
            if strict:
                raise
            outcomes.append({"reason": reason_of(error, path)})
            continue
        with memory_trouble(f"{file}: not enough memory to preprocess it"):
            digest = perceptual_hash(image).tobytes().hex()
            pixels = preprocess(image, **settings.model_dump())
        outcomes.append({"height": image.shape[0], "width": image.shape[1], "hash": digest})
        yield path, pixels


def _collect(rows: Sequence[ManifestRow], work: Path, segments: int) -> ArchivedImages:
    records = [_read_record(work, number) for number in range(segments)]
    outcomes = [outcome for record in records for outcome in record["images"]]
    archived, rejected, hashes = [], [], bytearray()
    for row, outcome in zip(rows, outcomes, strict=True):
        if "reason" in outcome:
            rejected.append(Rejection(row.path, outcome["reason"]))
            continue
        archived.append(replace(row, height=outcome["height"], width=outcome["width"]))
        hashes += bytes.fromhex(outcome["hash"])
    return ArchivedImages(
        archived,
        [Segment(**record["segment"]) for record in records],
        np.frombuffer(bytes(hashes), np.uint8).reshape(len(archived), -1),
        rejected,
    )


def _count_images(pool: WorkerPool, prepare: Any, tasks: Sequence[_Task]) -> Iterator[None]:
    """Prepare the segments; yield once for each file read, for the progress bar."""
    for images in pool.map(prepare, tasks, batch=1):
        yield from [None] * images


def _is_finished(directory: Path, work: Path, task: _Task) -> bool:
    """Return whether a segment and its record are whole; not all that is written reaches a disk."""
    try:
        record = _read_record(work, task.number)
        if [_is_outcome(outcome) for outcome in record["images"]] != [True] * len(task.files):
            return False
        check_segment(segment_path(directory, task.number), Segment(**record["segment"]))
    except (FileNotFoundError, ArchiveError, ValueError, KeyError, TypeError):
        return False
    return True


def _is_outcome(value: Any) -> bool:
    match value:
        case {"reason": str()}:
            return len(value) == 1
        case {"height": int(), "width": int(), "hash": str(digest)}:
            return len(value) == 3 and _HASH.fullmatch(digest) is not None
    return False


def _read_record(work: Path, number: int) -> Any:
    return read_json(_record_path(work, number), _MAX_RECORD)


def _record_path(work: Path, number: int) -> Path:
    return work / f"segment-{number:05d}.json"
