"""The two passes over a data set's files: digest and check them all, then decode and archive."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8

from elbow_core.dataset.archive_files import (
    Segment,
    check_segment,
    segment_length,
    segment_path,
    write_segment,
)
from elbow_core.dataset.manifest import ManifestRow
from elbow_core.dataset.near_duplicates import perceptual_hash
from elbow_core.errors import ArchiveError, RadiographError
from elbow_core.files import atomic_file
from elbow_core.prepare.worker_pool import WorkerPool
from elbow_core.progress import track
from elbow_core.radiographs.decoding import check_radiograph, decode_radiograph, read_bytes
from elbow_core.radiographs.preprocessing import Preprocessing, preprocess
from elbow_core.sources.listing import Rejection

_DIGESTS = "digests.json"


@dataclass(frozen=True, slots=True)
class ArchivedImages:
    """What the second pass made of a data set's rows."""

    rows: list[ManifestRow]
    """Those whose image is in the archive, in its order, with height and width."""
    segments: list[Segment]
    hashes: UInt8[np.ndarray, "images 32"]
    """The rows' perceptual hashes."""
    rejected: list[Rejection]


def digest_images(
    pool: WorkerPool, root: Path, rows: Sequence[ManifestRow], work: Path, strict: bool
) -> tuple[list[ManifestRow], list[Rejection]]:
    """Return the rows with their files' SHA-256, and what cannot be an image by its first bytes.

    What was found is kept in the folder ``work``, and taken from there by a run that goes on.
    Raises `RadiographError` for the first such file where ``strict``.
    """
    kept = work / _DIGESTS
    if kept.is_file():
        outcomes = json.loads(kept.read_text(encoding="utf-8"))
    else:
        found = pool.map(partial(_digest_file, root, strict), [row.path for row in rows], batch=16)
        outcomes = list(track(found, len(rows), "read"))
        _write_json(kept, outcomes)
    digested: list[ManifestRow] = []
    rejected: list[Rejection] = []
    for row, (digest, reason) in zip(rows, outcomes, strict=True):
        if reason:
            rejected.append(Rejection(row.path, reason))
        else:
            digested.append(replace(row, sha256=digest))
    return digested, rejected


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

    Each segment is the work of one process, from reading to writing, so that no pixel travels
    between processes; which rows it holds depends on nothing but their number. A segment that an
    earlier run finished, as ``work`` says, is left as it is.

    Raises `RadiographError` for the first file that cannot be decoded where ``strict``.
    """
    length = segment_length(len(rows))
    tasks = [
        _Task(number, tuple(row.path for row in rows[first : first + length]))
        for number, first in enumerate(range(0, len(rows), length))
    ]
    there = {task.number for task in tasks if _finished(directory, work, task.number)}
    missing = [task for task in tasks if task.number not in there]
    prepare = partial(_prepare_segment, root, settings, directory, work, strict)
    done = sum(len(task.paths) for task in tasks if task.number in there)
    for _ in track(_count_images(pool, prepare, missing), len(rows), "prepare", done):
        pass
    return _collect(rows, work, len(tasks))


@dataclass(frozen=True, slots=True)
class _Task:
    """The files that become one segment."""

    number: int
    paths: tuple[str, ...]


def _digest_file(root: Path, strict: bool, path: str) -> tuple[str, str]:
    """Return a file's digest, or else why there is none."""
    file = root / path
    try:
        data = read_bytes(file)
        check_radiograph(data, str(file))
    except RadiographError as error:
        if strict:
            raise
        return "", _reason(error, path)
    return hashlib.sha256(data).hexdigest(), ""


def _prepare_segment(
    root: Path, settings: Preprocessing, directory: Path, work: Path, strict: bool, task: _Task
) -> int:
    """Write a segment, then what is to be known of it; return how many files it was made from."""
    outcomes: list[dict[str, Any]] = []
    images = _prepared_images(root, settings, strict, task.paths, outcomes)
    segment = write_segment(segment_path(directory, task.number), settings.size, images)
    known = {"segment": asdict(segment), "images": outcomes}
    _write_json(_record_path(work, task.number), known)
    return len(task.paths)


def _prepared_images(
    root: Path,
    settings: Preprocessing,
    strict: bool,
    paths: Iterable[str],
    outcomes: list[dict[str, Any]],
) -> Iterator[tuple[str, np.ndarray]]:
    """Yield (path, pixels) of the files that can be decoded, and note what became of each."""
    for path in paths:
        file = root / path
        try:
            image = decode_radiograph(read_bytes(file), str(file))
        except RadiographError as error:
            if strict:
                raise
            outcomes.append({"reason": _reason(error, path)})
            continue
        looks = perceptual_hash(image).tobytes().hex()
        outcomes.append({"height": image.shape[0], "width": image.shape[1], "hash": looks})
        yield path, preprocess(image, **settings.model_dump())


def _collect(rows: Sequence[ManifestRow], work: Path, segments: int) -> ArchivedImages:
    known = [json.loads(_record_path(work, n).read_text(encoding="utf-8")) for n in range(segments)]
    outcomes = [outcome for segment in known for outcome in segment["images"]]
    archived, rejected, hashes = [], [], bytearray()
    for row, outcome in zip(rows, outcomes, strict=True):
        if "reason" in outcome:
            rejected.append(Rejection(row.path, outcome["reason"]))
            continue
        archived.append(replace(row, height=outcome["height"], width=outcome["width"]))
        hashes += bytes.fromhex(outcome["hash"])
    return ArchivedImages(
        archived,
        [Segment(**segment["segment"]) for segment in known],
        np.frombuffer(bytes(hashes), np.uint8).reshape(len(archived), -1),
        rejected,
    )


def _count_images(pool: WorkerPool, prepare: Any, tasks: Sequence[_Task]) -> Iterator[None]:
    for images in pool.map(prepare, tasks, batch=1):
        yield from [None] * images


def _finished(directory: Path, work: Path, number: int) -> bool:
    record = _record_path(work, number)
    if not record.is_file():
        return False
    try:
        segment = Segment(**json.loads(record.read_text(encoding="utf-8"))["segment"])
        check_segment(segment_path(directory, number), segment)
    except (ArchiveError, ValueError):  # Not all that was written reached the disk.
        return False
    return True


def _record_path(work: Path, number: int) -> Path:
    return work / f"segment-{number:05d}.json"


def _write_json(path: Path, value: Any) -> None:
    with atomic_file(path) as partial_file:
        partial_file.write_text(json.dumps(value), encoding="utf-8")


def _reason(error: RadiographError, path: str) -> str:
    # The error names the file by its place on this machine, which the table must not.
    return str(error).rpartition(f"{path}: ")[2]
