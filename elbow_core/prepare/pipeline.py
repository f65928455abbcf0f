"""A source becomes a prepared data set: scan, check, split, preprocess, archive."""

import csv
import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import astuple
from pathlib import Path

import numpy as np

from elbow_core.dataset.archive import open_archive
from elbow_core.dataset.archive_files import INDEX, write_index
from elbow_core.dataset.identities import hash_ids, read_key
from elbow_core.dataset.manifest import ManifestRow, validate_manifest, write_manifest
from elbow_core.dataset.near_duplicates import (
    HASHES,
    between_patients,
    find_near_duplicates,
    write_near_duplicates,
)
from elbow_core.dataset.splits import (
    check_classes,
    check_leakage,
    find_contradictions,
    split_patients,
)
from elbow_core.errors import ArchiveError, ManifestError, UserError
from elbow_core.prepare.config import DataConfig, OfficialSplit, Split
from elbow_core.prepare.passes import ArchivedImages, archive_images, digest_images
from elbow_core.prepare.work_directory import making
from elbow_core.prepare.worker_pool import WorkerPool
from elbow_core.sources import Rejection, scan

MANIFEST = "manifest.csv"
REJECTED = "rejected.csv"
NEAR_DUPLICATES = "near_duplicates.csv"

_VERSION = 3  # Part of the fingerprint: raise it when the same settings give other bytes.


def prepare(config: DataConfig) -> bool:
    """Make ``config.out`` from ``config.root``; return False where it is there already.

    Each file is read twice: first to be digested and checked, so that a leak or an empty class is
    known before the long work; then to be decoded. The archive's bytes do not depend on the number
    of workers, nor on whether the work was interrupted; ``out`` appears whole or not at all.

    Raises `UserError` for whatever the user can mend.
    """
    _check_out(config)
    key = read_key(config.id_key) if config.id_key else None
    found = scan(config.root, config.source, config.workers)
    validate_manifest(found.rows, config.root)
    rows = hash_ids(found.rows, key) if key else found.rows
    fingerprint = _fingerprint(config, rows)
    if _is_prepared(config.out, fingerprint):
        return False
    state = _state(config, fingerprint, rows)
    with making(config.out, state) as (directory, work), WorkerPool(config.workers) as pool:
        rows, unreadable = digest_images(pool, config.root, rows, work, config.strict)
        rows, contradicting = _drop_contradictions(rows, config.strict)
        assign_splits(rows, config.split)
        archived = archive_images(
            pool, config.root, rows, config.preprocess, directory, work, config.strict
        )
        rows, alike = _deal(config, archived)
        write_manifest(directory / MANIFEST, rows)
        write_near_duplicates(directory / NEAR_DUPLICATES, rows, alike)
        np.save(directory / HASHES, archived.hashes)
        rejected = [*found.rejected, *unreadable, *contradicting, *archived.rejected]
        _write_rejected(directory / REJECTED, rejected)
        ids = [row.image_id for row in rows]
        settings = config.preprocess.model_dump()
        write_index(directory, ids, archived.segments, settings, fingerprint)
    return True


def assign_splits(
    rows: Sequence[ManifestRow], split: Split, alike: Iterable[tuple[int, int]] = ()
) -> list[ManifestRow]:
    """Return the rows with their splits, which share no patient and no image.

    ``alike`` are the positions of further rows to keep together, in pairs; an official split stays
    as it is. Raises `ManifestError` for counts that cannot be met, a split without a class, and an
    official split that is missing or leaks.
    """
    if not isinstance(split, OfficialSplit):
        dealt = split_patients(rows, split.wanted(), split.seed, alike)
    elif homeless := [row.image_id for row in rows if not row.split]:
        raise ManifestError(f"split.method: official, but {homeless[0]} has none; use fractions")
    else:
        dealt = list(rows)
        check_classes(dealt, ["train", *sorted({row.split for row in dealt} - {"train"})])
    check_leakage(dealt)
    return dealt


def _deal(config: DataConfig, archived: ArchivedImages) -> tuple[list[ManifestRow], np.ndarray]:
    """Return the archived rows with their splits, and the pairs of them that look alike."""
    rows = archived.rows
    if config.near_duplicates == "ignore":
        return assign_splits(rows, config.split), np.zeros((0, 3), int)
    alike = between_patients(rows, find_near_duplicates(archived.hashes))
    joined = alike[:, :2].tolist() if config.near_duplicates == "group" else []
    return assign_splits(rows, config.split, [(one, other) for one, other in joined]), alike


def _check_out(config: DataConfig) -> None:
    out, root = config.out.resolve(), config.root.resolve()
    if out == root or out.is_relative_to(root) or root.is_relative_to(out):
        raise UserError(f"out: {config.out} and the data root {config.root} must lie apart")


def _fingerprint(config: DataConfig, rows: Sequence[ManifestRow]) -> str:
    """Digest what the result depends on: settings, and each file's row and length in bytes."""
    settings = config.model_dump(mode="json", exclude={"root", "out", "workers", "id_key"})
    files = [[*astuple(row), (config.root / row.path).stat().st_size] for row in rows]
    return hashlib.sha256(json.dumps([_VERSION, settings, files]).encode()).hexdigest()


def _state(config: DataConfig, fingerprint: str, rows: Sequence[ManifestRow]) -> str:
    """Digest what a half-done work depends on: with the fingerprint, when each file was changed."""
    changed = [(config.root / row.path).stat().st_mtime_ns for row in rows]
    return hashlib.sha256(json.dumps([fingerprint, changed]).encode()).hexdigest()


def _is_prepared(out: Path, fingerprint: str) -> bool:
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return False
    if not (out / INDEX).is_file():
        raise UserError(f"{out}: is there and is no prepared data set; choose another out")
    try:
        if open_archive(out).fingerprint == fingerprint:
            return True
    except ArchiveError as error:
        raise UserError(f"{error}: delete {out} first") from error
    raise UserError(
        f"{out}: was prepared with other settings or from other files; "
        "delete it or choose another out"
    )


def _drop_contradictions(
    rows: Sequence[ManifestRow], strict: bool
) -> tuple[list[ManifestRow], list[Rejection]]:
    """Leave out byte-identical images of different labels: one of the two must be wrong."""
    others = find_contradictions(rows)
    rejected = [
        Rejection(row.path, f"is identical to {others[row.image_id]}, which has the other label")
        for row in rows
        if row.image_id in others
    ]
    if rejected and strict:
        raise ManifestError(f"{rejected[0].path}: {rejected[0].reason}")
    return [row for row in rows if row.image_id not in others], rejected


def _write_rejected(path: Path, rejected: Sequence[Rejection]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("path", "reason"))
        writer.writerows(sorted((entry.path, entry.reason) for entry in rejected))
