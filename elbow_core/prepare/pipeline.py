"""Prepare a data set: scan the source, check, split, preprocess, archive."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from elbow_core.dataset import (
    HASHES_FILE,
    REGIONS_FILE,
    ManifestRow,
    fingerprint_of_key,
    hash_digests,
    hash_id,
    hash_ids,
    read_key,
    write_index,
    write_manifest,
    write_near_duplicates,
    write_regions,
)
from elbow_core.errors import UserError
from elbow_core.files import output_folder, remove_finished, require_room, require_writable
from elbow_core.prepare.archive_pass import archive_images
from elbow_core.prepare.assignment import assign_splits, drop_contradictions, split_archived
from elbow_core.prepare.config import DataConfig
from elbow_core.prepare.corrections import Corrections, apply_corrections, read_corrections
from elbow_core.prepare.corrections_record import write_record
from elbow_core.prepare.dicom_files import DISAGREEMENTS, write_disagreements
from elbow_core.prepare.digest_pass import DigestedFile, digest_images
from elbow_core.prepare.fingerprint import fingerprint_of, is_prepared, refuse_foreign
from elbow_core.prepare.inputs import (
    Inputs,
    hide_paths,
    read_inputs,
    refuse_contradictions,
    scan_source,
)
from elbow_core.prepare.private_names import PrivateNames, default_table, hidden_names
from elbow_core.prepare.rejections import write_rejected
from elbow_core.prepare.resumable_folder import resumable_folder
from elbow_core.processes import WorkerPool
from elbow_core.sources import Rejection, ScanResult

MANIFEST = "manifest.csv"
REJECTED = "rejected.csv"
NEAR_DUPLICATES = "near_duplicates.csv"


def prepare(config: DataConfig, say: Callable[[str], object] = print) -> bool:
    """Prepare ``config.root`` into ``config.out``; return False if it is already prepared.

    The head of each DICOM file is read first, for its tags. Then each file is read twice: first to
    digest and check it, so that leakage or an empty class is found before the long work; then to
    decode it, if its content is still the same. Content alone decides whether ``out`` is prepared,
    and which work is resumed. The archive's bytes do not depend on the number of workers or on
    interruptions; ``out`` appears complete or not at all.

    ``say`` gets a line for each fact about patients and tags that the user should know.

    Raises `UserError` for every problem that the user can solve. With ``id_key`` no message names a
    file.
    """
    _check_out(config)
    names = None
    key = read_key(config.id_key) if config.id_key else None
    if config.id_key and key:
        table = config.private_paths or default_table(config.id_key, config.out)
        names = PrivateNames(config.root, key, _outside(table, config))
        names.prepare_table()
    with hidden_names(names, config.source.model_dump_json()):
        return _prepare_hidden(config, key, names, say)


def _prepare_hidden(
    config: DataConfig,
    key: bytes | None,
    names: PrivateNames | None,
    say: Callable[[str], object],
) -> bool:
    corrections = read_corrections(config.corrections) if config.corrections else None
    found = scan_source(config, names)
    refuse_foreign(config.out)
    with WorkerPool(config.workers) as pool:
        inputs = read_inputs(config, pool, found, names, say)
        if key:
            inputs = replace(inputs, rows=hash_ids(inputs.rows, key))
        if corrections:
            inputs = _correct(inputs, corrections, config)
        files = digest_images(pool, config.root, inputs.rows, config.strict)
        fingerprint = fingerprint_of(config, inputs, files, names, corrections)
        if is_prepared(config.out, fingerprint):
            remove_finished(output_folder(config.out))
            return False
        _prepare(config, pool, inputs, files, fingerprint, key, names, corrections)
    return True


def _prepare(
    config: DataConfig,
    pool: WorkerPool,
    inputs: Inputs,
    files: Sequence[DigestedFile],
    fingerprint: str,
    key: bytes | None,
    names: PrivateNames | None,
    corrections: Corrections | None,
) -> None:
    with resumable_folder(config.out, fingerprint) as (directory, work):
        _require_room(config, inputs.rows, directory)
        digested = list(zip(inputs.rows, files, strict=True))
        unreadable = [Rejection(row.path, file.reason) for row, file in digested if file.reason]
        rows = [replace(row, sha256=file.sha256) for row, file in digested if not file.reason]
        rows, contradicting = drop_contradictions(rows)
        refuse_contradictions(config, contradicting)
        assign_splits(rows, config.split)
        archived = archive_images(
            pool, config.root, rows, config.preprocess, directory, work, config.strict
        )
        rows, pairs = split_archived(config, archived)
        write_manifest(directory / MANIFEST, hide_paths(rows, names))
        write_near_duplicates(directory / NEAR_DUPLICATES, rows, pairs)
        if inputs.regions:
            regions = ((row, inputs.regions.get(row.path, ())) for row in rows)
            write_regions(directory / REGIONS_FILE, regions, config.root)
        if inputs.has_dicom:
            ids = {row.path: row.image_id for row in rows}
            hide = partial(hash_id, key) if key else None
            write_disagreements(directory / DISAGREEMENTS, inputs.disagreements, ids, hide)
        if corrections:
            write_record(directory, corrections, config.unsure, rows)
        np.save(directory / HASHES_FILE, archived.hashes)
        rejected = [*inputs.rejected, *unreadable, *contradicting, *archived.rejected]
        write_rejected(directory / REJECTED, rejected, names)
        ids = [row.image_id for row in rows]
        settings = config.preprocess.model_dump()
        identities = (fingerprint_of_key(key), hash_digests(rows, key)) if key else ("", ())
        ungrouped = sum(row.path in inputs.ungrouped for row in rows)
        write_index(
            directory, ids, archived.segments, settings, fingerprint, *identities, ungrouped
        )


def _check_out(config: DataConfig) -> None:
    out, root = config.out.resolve(), config.root.resolve()
    if out == root or out.is_relative_to(root) or root.is_relative_to(out):
        raise UserError(
            f"out: {config.out} and the data root {config.root} must not contain each other"
        )
    require_writable(output_folder(config.out))


def _outside(table: Path, config: DataConfig) -> Path:
    """Return the private table's path; raises `UserError` if it is in the prepared folder."""
    if table.resolve().is_relative_to(config.out.resolve()):
        raise UserError(f"private_paths: {table} is in {config.out}, which may be shared; move it")
    return table


def _require_room(config: DataConfig, rows: Sequence[ManifestRow], directory: Path) -> None:
    """Raise `UserError` if the disk has no room for the images that ``directory`` lacks."""
    finished = sum(file.stat().st_size for file in directory.iterdir() if file.is_file())
    size = len(rows) * config.preprocess.size**2 - finished
    require_room(config.out, max(size, 0), f"the archive of {len(rows)} images")


def _correct(inputs: Inputs, corrections: Corrections, config: DataConfig) -> Inputs:
    """Return the inputs with corrected labels; their ids are those that will be written."""
    found = ScanResult(list(inputs.rows), list(inputs.rejected), inputs.regions)
    found = apply_corrections(found, corrections, config.unsure)
    return replace(inputs, rows=found.rows, rejected=found.rejected, regions=found.regions)
