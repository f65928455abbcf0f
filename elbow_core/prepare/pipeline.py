"""Prepare a data set: scan the source, check, split, preprocess, archive."""

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import astuple, replace
from pathlib import Path
from typing import Any

import numpy as np

from elbow_core.dataset import (
    HASHES_FILE,
    INDEX_FILE,
    REGIONS_FILE,
    ManifestRow,
    between_patients,
    check_classes,
    check_leakage,
    find_contradictions,
    find_near_duplicates,
    fingerprint_of_key,
    hash_digests,
    hash_ids,
    open_archive,
    read_key,
    split_patients,
    validate_manifest,
    write_index,
    write_manifest,
    write_near_duplicates,
    write_regions,
)
from elbow_core.errors import ArchiveError, ManifestError, UserError
from elbow_core.files import output_folder, remove_finished, require_room, require_writable
from elbow_core.prepare.archive_pass import ArchivedImages, archive_images
from elbow_core.prepare.config import DataConfig, OfficialSplit, Split
from elbow_core.prepare.corrections import Corrections, apply_corrections, read_corrections
from elbow_core.prepare.corrections_record import write_record
from elbow_core.prepare.digest_pass import DigestedFile, digest_images
from elbow_core.prepare.rejections import write_rejected
from elbow_core.prepare.resumable_folder import resumable_folder
from elbow_core.processes import WorkerPool
from elbow_core.sources import Rejection, ScanResult, scan

MANIFEST = "manifest.csv"
REJECTED = "rejected.csv"
NEAR_DUPLICATES = "near_duplicates.csv"

_VERSION = 4  # Part of the fingerprint: raise it when the same settings give different bytes.


def prepare(config: DataConfig) -> bool:
    """Prepare ``config.root`` into ``config.out``; return False if it is already prepared.

    Each file is read twice: first to digest and check it, so that leakage or an empty class is
    found before the long work; then to decode it, if its content is still the same. Content alone
    decides whether ``out`` is prepared, and which work is resumed. The archive's bytes do not
    depend on the number of workers or on interruptions; ``out`` appears complete or not at all.

    Raises `UserError` for every problem that the user can solve.
    """
    _check_out(config)
    key = read_key(config.id_key) if config.id_key else None
    corrections = read_corrections(config.corrections) if config.corrections else None
    found = scan(config.root, config.source, config.workers)
    _refuse_contradictions(config, found.rejected)
    validate_manifest(found.rows, config.root)
    found = replace(found, rows=hash_ids(found.rows, key)) if key else found
    if corrections:
        found = apply_corrections(found, corrections, config.unsure)
    _refuse_foreign(config.out)
    with WorkerPool(config.workers) as pool:
        files = digest_images(pool, config.root, found.rows, config.strict)
        fingerprint = _fingerprint(config, found, files, corrections)
        if _is_prepared(config.out, fingerprint):
            remove_finished(output_folder(config.out))
            return False
        _prepare(config, pool, found, files, fingerprint, key, corrections)
    return True


def _prepare(
    config: DataConfig,
    pool: WorkerPool,
    found: ScanResult,
    files: Sequence[DigestedFile],
    fingerprint: str,
    key: bytes | None,
    corrections: Corrections | None,
) -> None:
    with resumable_folder(config.out, fingerprint) as (directory, work):
        _require_room(config, found.rows, directory)
        digested = list(zip(found.rows, files, strict=True))
        unreadable = [Rejection(row.path, file.reason) for row, file in digested if file.reason]
        rows = [replace(row, sha256=file.sha256) for row, file in digested if not file.reason]
        rows, contradicting = _drop_contradictions(rows)
        _refuse_contradictions(config, contradicting)
        assign_splits(rows, config.split)
        archived = archive_images(
            pool, config.root, rows, config.preprocess, directory, work, config.strict
        )
        rows, pairs = _split_archived(config, archived)
        write_manifest(directory / MANIFEST, rows)
        write_near_duplicates(directory / NEAR_DUPLICATES, rows, pairs)
        if found.regions:
            regions = ((row, found.regions.get(row.path, ())) for row in rows)
            write_regions(directory / REGIONS_FILE, regions, config.root)
        if corrections:
            write_record(directory, corrections, config.unsure, rows)
        np.save(directory / HASHES_FILE, archived.hashes)
        rejected = [*found.rejected, *unreadable, *contradicting, *archived.rejected]
        write_rejected(directory / REJECTED, rejected)
        ids = [row.image_id for row in rows]
        settings = config.preprocess.model_dump()
        identities = (fingerprint_of_key(key), hash_digests(rows, key)) if key else ("", ())
        write_index(directory, ids, archived.segments, settings, fingerprint, *identities)


def assign_splits(
    rows: Sequence[ManifestRow], split: Split, same_split: Iterable[tuple[int, int]] = ()
) -> list[ManifestRow]:
    """Return the rows with their splits, which share no patient and no image.

    ``same_split`` contains pairs of positions of further rows to keep in one split; an official
    split is not changed. Raises `ManifestError` for counts that cannot be met, a split without a
    class, and an official split that is missing or leaks.
    """
    if not isinstance(split, OfficialSplit):
        assigned = split_patients(rows, split.wanted(), split.seed, same_split)
    elif unassigned := [row.image_id for row in rows if not row.split]:
        raise ManifestError(
            f"split.method: official, but {unassigned[0]} has no official split; use fractions"
        )
    else:
        assigned = list(rows)
        check_classes(assigned, ["train", *sorted({row.split for row in assigned} - {"train"})])
    check_leakage(assigned)
    return assigned


def _split_archived(
    config: DataConfig, archived: ArchivedImages
) -> tuple[list[ManifestRow], np.ndarray]:
    """Return the archived rows with their splits, and the pairs of near-duplicates among them."""
    rows = archived.rows
    if config.near_duplicates == "ignore":
        return assign_splits(rows, config.split), np.zeros((0, 3), int)
    pairs = between_patients(rows, find_near_duplicates(archived.hashes))
    grouped = pairs[:, :2].tolist() if config.near_duplicates == "group" else []
    return assign_splits(rows, config.split, [(first, second) for first, second in grouped]), pairs


def _check_out(config: DataConfig) -> None:
    out, root = config.out.resolve(), config.root.resolve()
    if out == root or out.is_relative_to(root) or root.is_relative_to(out):
        raise UserError(
            f"out: {config.out} and the data root {config.root} must not contain each other"
        )
    require_writable(output_folder(config.out))


def _require_room(config: DataConfig, rows: Sequence[ManifestRow], directory: Path) -> None:
    """Raise `UserError` if the disk has no room for the images that ``directory`` lacks."""
    finished = sum(file.stat().st_size for file in directory.iterdir() if file.is_file())
    size = len(rows) * config.preprocess.size**2 - finished
    require_room(config.out, max(size, 0), f"the archive of {len(rows)} images")


def _fingerprint(
    config: DataConfig,
    found: ScanResult,
    files: Sequence[DigestedFile],
    corrections: Corrections | None,
) -> str:
    """Digest the inputs of the result: settings, each file's row and content, regions, corrections.

    A setting that is not used is no part of it.
    """
    places = {"root", "out", "workers", "id_key", "corrections", "unsure"}
    settings = config.model_dump(mode="json", exclude=places)
    contents = [[*astuple(row), file.sha256] for row, file in zip(found.rows, files, strict=True)]
    inputs: list[Any] = [_VERSION, settings, contents]
    if found.regions:
        inputs += [[path, *map(astuple, found.regions[path])] for path in sorted(found.regions)]
    if corrections:
        inputs += [["corrections", corrections.sha256, config.unsure]]
    return hashlib.sha256(json.dumps(inputs).encode()).hexdigest()


def _refuse_foreign(out: Path) -> None:
    """Raise `UserError` if the output is neither missing, an empty folder nor a prepared one."""
    if out.exists() and any(out.iterdir()) and not (out / INDEX_FILE).is_file():
        raise UserError(f"{out}: exists and is not a prepared data set; choose another out")


def _is_prepared(out: Path, fingerprint: str) -> bool:
    if not (out / INDEX_FILE).is_file():
        return False
    try:
        if open_archive(out).fingerprint == fingerprint:
            return True
    except ArchiveError as error:
        raise UserError(f"{error}: delete {out} first") from error
    raise UserError(
        f"{out}: was prepared with other settings or from other files, or by an earlier version; "
        "delete it or choose another out"
    )


def _refuse_contradictions(config: DataConfig, rejected: Sequence[Rejection]) -> None:
    """Raise `ManifestError` for the first file with both labels, if the settings are strict."""
    first = next((entry for entry in rejected if entry.contradiction), None)
    if config.strict and first is not None:
        raise ManifestError(f"{config.root / first.path}: {first.reason}")


def _drop_contradictions(
    rows: Sequence[ManifestRow],
) -> tuple[list[ManifestRow], list[Rejection]]:
    """Reject byte-identical images with different labels: one of the labels must be wrong."""
    contradictions = find_contradictions(rows)
    rejected = [
        Rejection(
            row.path,
            f"is identical to {contradictions[row.image_id]}, which has the other label",
            contradiction=True,
        )
        for row in rows
        if row.image_id in contradictions
    ]
    return [row for row in rows if row.image_id not in contradictions], rejected
