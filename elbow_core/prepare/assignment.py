"""Which images are used, and in which split."""

from collections.abc import Iterable, Sequence

import numpy as np

from elbow_core.dataset import (
    ManifestRow,
    between_patients,
    check_classes,
    check_leakage,
    find_contradictions,
    find_near_duplicates,
    split_patients,
)
from elbow_core.errors import ManifestError
from elbow_core.prepare.archive_pass import ArchivedImages
from elbow_core.prepare.config import DataConfig, OfficialSplit, Split
from elbow_core.sources import Rejection


def drop_contradictions(
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


def split_archived(
    config: DataConfig, archived: ArchivedImages
) -> tuple[list[ManifestRow], np.ndarray]:
    """Return the archived rows with their splits, and the pairs of near-duplicates among them."""
    rows = archived.rows
    if config.near_duplicates == "ignore":
        return assign_splits(rows, config.split), np.zeros((0, 3), int)
    pairs = between_patients(rows, find_near_duplicates(archived.hashes))
    grouped = pairs[:, :2].tolist() if config.near_duplicates == "group" else []
    return assign_splits(rows, config.split, [(first, second) for first, second in grouped]), pairs
