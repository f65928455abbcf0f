"""Folds of a cross-validation: every image is in the test set of one fold.

Fold ``k`` of ``n`` is the test set of its own run; the next fold (the first, for the last one) is
the validation set, and the others are trained on.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import numpy as np
from jaxtyping import Int
from pydantic import Field, model_validator

from elbow_core.config import StrictModel
from elbow_core.dataset.manifest import ManifestRow
from elbow_core.dataset.near_duplicates import (
    between_patients,
    find_near_duplicates,
    read_hashes,
)
from elbow_core.dataset.prepared import PreparedData, open_prepared
from elbow_core.dataset.splits import check_classes, group_rows
from elbow_core.errors import ManifestError


class FoldSplit(StrictModel):
    """One fold of a cross-validation, which replaces the splits of the prepared data."""

    number: Annotated[int, Field(ge=1)]
    """The fold that is the test set, from 1."""
    of: Annotated[int, Field(ge=3)]
    """Number of folds."""
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    """Another seed deals the patients differently."""

    @model_validator(mode="after")
    def _check_number(self) -> "FoldSplit":
        if self.number > self.of:
            raise ValueError(f"number is {self.number}, of {self.of} folds")
        return self


def open_fold(directory: Path, fold: FoldSplit | None) -> PreparedData:
    """Open a prepared directory with the splits of a fold; with its own ones for None.

    Images of one patient, byte-identical ones and near-duplicates are in one fold.

    Raises:
        UserError: as `open_prepared` does.
        ManifestError: if there are too few patients, or a set of the fold lacks a class.
    """
    data = open_prepared(directory)
    if fold is None:
        return data
    hashes = read_hashes(data.directory, len(data.rows))
    pairs = np.zeros((0, 3), np.int64) if hashes is None else find_near_duplicates(hashes)
    similar = between_patients(data.rows, pairs)[:, :2].tolist()
    dealt = deal_folds(
        data.rows, fold.of, fold.seed, [(first, second) for first, second in similar]
    )
    test = fold.number - 1
    names = np.full(fold.of, "train", object)
    names[test], names[(test + 1) % fold.of] = "test", "validation"
    rows = tuple(
        replace(row, split=str(names[at])) for row, at in zip(data.rows, dealt, strict=True)
    )
    check_classes(rows, ("train", "validation", "test"))
    return replace(data, rows=rows)


def deal_folds(
    rows: Sequence[ManifestRow],
    count: int,
    seed: int,
    same_fold: Iterable[tuple[int, int]] = (),
) -> Int[np.ndarray, " images"]:
    """Return the fold of each row, from 0; the folds are stratified by label and view.

    Rows of one patient or of the same bytes stay together, and so do the pairs of positions in
    ``same_fold``. The result depends on the set of rows and the seed, not on their order.

    Raises `ManifestError` if there are fewer groups of a class than folds.

    Reference: `sklearn.model_selection.StratifiedGroupKFold`.
    """
    from sklearn.model_selection import StratifiedGroupKFold  # takes a second, and few runs need it

    groups = np.zeros(len(rows), np.int64)
    for number, members in enumerate(group_rows(rows, same_fold)):
        groups[members] = number
    for label, name in enumerate(("normal", "injury")):
        found = {int(group) for group, row in zip(groups, rows, strict=True) if row.label == label}
        if len(found) < count:
            raise ManifestError(
                f"folds: {len(found)} patients (or groups of equal images) with {name} images "
                f"cannot be dealt to {count} folds"
            )
    order = sorted(range(len(rows)), key=lambda position: rows[position].image_id)
    strata = [f"{rows[position].label} {rows[position].view}" for position in order]
    known = sorted(set(strata))
    classes = np.array([known.index(stratum) for stratum in strata])
    folds = np.zeros(len(rows), np.int64)
    splitter = StratifiedGroupKFold(count, shuffle=True, random_state=seed)
    for number, (_, held_out) in enumerate(
        splitter.split(np.zeros((len(rows), 1)), classes, groups[order])
    ):
        folds[np.array(order)[held_out]] = number
    return folds
