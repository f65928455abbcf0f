"""Make a prepared data set: scan, check, split, preprocess, archive.

python -m elbow_core.prepare --config configs/data/elbow.yaml [--field.sub value ...]
"""

import csv
import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import astuple
from pathlib import Path

from elbow_core import cli
from elbow_core.archive import INDEX, ArchiveWriter, open_archive
from elbow_core.config import load_config, take_config_path
from elbow_core.config_help import describe_fields
from elbow_core.data_config import DataConfig, OfficialSplit, Split
from elbow_core.errors import ArchiveError, ManifestError, UserError
from elbow_core.manifest import ManifestRow, read_manifest, validate_manifest, write_manifest
from elbow_core.passes import archive_images, digest_images
from elbow_core.sources import Rejection, scan
from elbow_core.splits import (
    check_classes,
    check_leakage,
    count_classes,
    find_contradictions,
    split_patients,
)
from elbow_core.worker_pool import WorkerPool

MANIFEST = "manifest.csv"
REJECTED = "rejected.csv"

_VERSION = 1  # Part of the fingerprint: raise it when the same settings give other bytes.


def prepare(config: DataConfig) -> bool:
    """Make ``config.out`` from ``config.root``; return False where it is there already.

    Each file is read twice: first to be digested and checked, so that a leak or an empty class is
    known before the long work; then to be decoded. The archive's bytes do not depend on the number
    of workers, and ``out`` appears whole or not at all.

    Raises `UserError` for whatever the user can mend.
    """
    _check_out(config)
    found = scan(config.root, config.source, config.workers)
    validate_manifest(found.rows, config.root)
    fingerprint = _fingerprint(config, found.rows)
    if _is_prepared(config.out, fingerprint):
        return False
    with _making(config.out) as directory, WorkerPool(config.workers) as pool:
        rows, unreadable = digest_images(pool, config.root, found.rows, config.strict)
        rows, contradicting = _drop_contradictions(rows, config.strict)
        assign_splits(rows, config.split)
        writer = ArchiveWriter(directory, config.preprocess.size)
        try:
            rows, undecodable = archive_images(
                pool, config.root, rows, config.preprocess, writer, config.strict
            )
            writer.finish(config.preprocess.model_dump(), fingerprint)
        finally:
            writer.close()
        write_manifest(directory / MANIFEST, assign_splits(rows, config.split))
        rejected = [*found.rejected, *unreadable, *contradicting, *undecodable]
        _write_rejected(directory / REJECTED, rejected)
    return True


def assign_splits(rows: Sequence[ManifestRow], split: Split) -> list[ManifestRow]:
    """Return the rows with their splits, which share no patient and no image.

    Raises `ManifestError` for counts that cannot be met, a split without a class, and an official
    split that is missing or leaks.
    """
    if not isinstance(split, OfficialSplit):
        dealt = split_patients(rows, split.wanted(), split.seed)
    elif homeless := [row.image_id for row in rows if not row.split]:
        raise ManifestError(f"split.method: official, but {homeless[0]} has none; use fractions")
    else:
        dealt = list(rows)
        check_classes(dealt, ["train", *sorted({row.split for row in dealt} - {"train"})])
    check_leakage(dealt)
    return dealt


def format_table(rows: Sequence[ManifestRow]) -> str:
    """Return the report's table: images per split and class."""
    counts = count_classes(rows)
    counts["total"] = (
        sum(normal for normal, _ in counts.values()),
        sum(injury for _, injury in counts.values()),
    )
    lines = [f"{'Set':<12}{'Normal':>8}{'Injury':>8}"]
    for name, (normal, injury) in counts.items():
        lines.append(f"{name.capitalize():<12}{normal:>8}{injury:>8}")
    return "\n".join(lines)


def main(arguments: Sequence[str]) -> int:
    """Run the command."""
    if "--help" in arguments or "-h" in arguments:
        print(f"{__doc__}\nFields:\n{describe_fields(DataConfig)}")
        return 0
    path, overrides = take_config_path(arguments)
    config = load_config(DataConfig, path, overrides)
    done = prepare(config)
    print(f"{config.out}: {'prepared' if done else 'already prepared with these settings'}")
    print(format_table(read_manifest(config.out / MANIFEST)))
    with (config.out / REJECTED).open(encoding="utf-8", newline="") as file:
        passed_over = sum(1 for _ in csv.reader(file)) - 1
    if passed_over:
        print(f"{passed_over} files were not used; {config.out / REJECTED} says why")
    return 0


def _check_out(config: DataConfig) -> None:
    out, root = config.out.resolve(), config.root.resolve()
    if out == root or out.is_relative_to(root) or root.is_relative_to(out):
        raise UserError(f"out: {config.out} and the data root {config.root} must lie apart")


def _fingerprint(config: DataConfig, rows: Sequence[ManifestRow]) -> str:
    """Digest what the result depends on: settings, and each file's row and length in bytes."""
    settings = config.model_dump(mode="json", exclude={"root", "out", "workers"})
    files = [[*astuple(row), (config.root / row.path).stat().st_size] for row in rows]
    return hashlib.sha256(json.dumps([_VERSION, settings, files]).encode()).hexdigest()


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


@contextmanager
def _making(out: Path) -> Iterator[Path]:
    """Give an empty folder beside ``out`` that takes its name when the block succeeds."""
    directory = out.with_name(f".{out.name}.partial")
    try:
        directory.mkdir(parents=True, exist_ok=True)
        lock = _lock(directory, out)
        try:
            for left in directory.iterdir():  # A killed run leaves files.
                left.unlink()
            yield directory
            directory.replace(out)
        except BaseException:
            shutil.rmtree(directory, ignore_errors=True)
            raise
        finally:
            os.close(lock)
    except OSError as error:
        raise UserError(f"{out}: cannot be written: {error}") from error


def _lock(directory: Path, out: Path) -> int:
    """Lock a folder for this process; the lock ends with the descriptor that is returned."""
    lock = os.open(directory, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.path.samestat(os.fstat(lock), directory.stat()):
            return lock
    except OSError:
        pass
    os.close(lock)
    raise UserError(f"{out}: is being prepared by another process")


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


if __name__ == "__main__":
    cli.run(main)
