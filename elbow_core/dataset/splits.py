"""Split a data set into training, validation and test sets that share no patient and no image."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from elbow_core.dataset.assignment import assign_groups
from elbow_core.dataset.manifest import LABEL_NAMES, SPLITS, ManifestRow
from elbow_core.errors import ManifestError
from elbow_core.identity import normalise_id

_VIEW_WEIGHT = 0.3
_RESTARTS = 20


def split_patients(
    rows: Sequence[ManifestRow],
    wanted: Mapping[str, float] | Mapping[str, tuple[int, int]],
    seed: int,
    same_split: Iterable[tuple[int, int]] = (),
) -> list[ManifestRow]:
    """Return the rows with their splits; patients and byte-identical images stay in one split.

    Patients are compared by `normalise_id`. ``same_split`` contains pairs of positions of further
    rows to keep in one split.

    ``wanted`` gives for each split a fraction of the images (they sum to 1), or its exact numbers
    of images, (normal, injury). Splits are stratified by label and, as far as whole patients allow,
    by view. The result depends on the set of rows and the seed, not on the order of the rows.

    Raises `ManifestError` if a split would lack a class, if exact numbers do not sum to the number
    of images, or if they cannot be met with whole patients.

    Reference: the criterion of `sklearn.model_selection.StratifiedGroupKFold`, least squared
    deviation per class, here for sets of unequal sizes and refined by exchanging groups.
    """
    groups = group_rows(rows, same_split)
    names = [name for name in SPLITS if wanted.get(name)]
    strata = sorted({(row.label, row.view) for row in rows})
    labels = np.array([label for label, _ in strata])
    counts = np.array([_count(rows, group, strata) for group in groups], float)
    targets = _targets(wanted, names, labels, counts.sum(axis=0))
    wanted_labels = _sum_by_label(targets, labels)
    exact = any(isinstance(share, tuple) for share in wanted.values())
    smallest = np.inf
    best = np.zeros(len(groups), int)
    best_labels = np.zeros_like(wanted_labels)
    for restart in range(_RESTARTS if exact else 1):
        rng = np.random.default_rng([seed, restart])
        tried = assign_groups(_features(counts, labels), _features(targets, labels), rng)
        sums = np.stack([counts[tried == split].sum(axis=0) for split in range(len(names))])
        deviation = np.abs(_sum_by_label(sums, labels) - wanted_labels).sum()
        if deviation < smallest:
            smallest, best, best_labels = deviation, tried, _sum_by_label(sums, labels)
        if smallest < 0.5:
            break
    if exact and smallest >= 0.5:
        raise ManifestError(
            "split: whole patients do not add up to the counts; the nearest counts are "
            + "; ".join(
                f"{name} {normal:.0f} normal, {injury:.0f} injury"
                for name, (normal, injury) in zip(names, best_labels, strict=True)
            )
        )
    split_rows = list(rows)
    for group, split in zip(groups, best, strict=True):
        for position in group:
            split_rows[position] = replace(rows[position], split=names[split])
    check_classes(split_rows, names)
    return split_rows


def check_classes(rows: Iterable[ManifestRow], splits: Iterable[str]) -> None:
    """Raise `ManifestError` that names each split without an image of a class."""
    present = {(row.split, row.label) for row in rows}
    empty = [
        f"{split} has no {name} image"
        for split in splits
        for label, name in enumerate(LABEL_NAMES)
        if (split, label) not in present
    ]
    if empty:
        raise ManifestError(f"split: {'; '.join(empty)}")


def count_classes(rows: Iterable[ManifestRow]) -> dict[str, tuple[int, int]]:
    """Return (normal, injury) counts for each split with images, in the order of `SPLITS`."""
    found = Counter((row.split, row.label) for row in rows)
    return {
        split: (found[split, 0], found[split, 1])
        for split in SPLITS
        if found[split, 0] + found[split, 1]
    }


def group_rows(
    rows: Sequence[ManifestRow], same_split: Iterable[tuple[int, int]]
) -> list[list[int]]:
    """Return the connected components of rows that share a patient or digest, or are a pair."""
    parent = list(range(len(rows)))

    def find(position: int) -> int:
        while parent[position] != position:
            parent[position] = parent[parent[position]]
            position = parent[position]
        return position

    owner: dict[tuple[str, str], int] = {}
    for position, row in enumerate(rows):
        for key in (("patient", normalise_id(row.patient_id)), ("sha256", row.sha256)):
            if key[1]:
                parent[find(position)] = find(owner.setdefault(key, position))
    for position, other in same_split:
        parent[find(position)] = find(other)
    members: dict[int, list[int]] = defaultdict(list)
    for position in range(len(rows)):
        members[find(position)].append(position)
    # Sorted by the first id, so that the order of the rows has no influence.
    return sorted(
        members.values(), key=lambda group: min(rows[position].image_id for position in group)
    )


def _count(
    rows: Sequence[ManifestRow], group: Sequence[int], strata: Sequence[tuple[int, str]]
) -> list[int]:
    found = Counter((rows[position].label, rows[position].view) for position in group)
    return [found[stratum] for stratum in strata]


def _targets(
    wanted: Mapping[str, float] | Mapping[str, tuple[int, int]],
    names: Sequence[str],
    labels: np.ndarray,
    totals: np.ndarray,
) -> np.ndarray:
    """Return the wanted number of images in each split and stratum."""
    targets = np.zeros((len(names), len(labels)))
    available = {label: int(totals[labels == label].sum()) for label in (0, 1)}
    for label, name in enumerate(LABEL_NAMES):
        if not available[label]:
            raise ManifestError(f"split: there is no {name} image")
    for row, split in enumerate(names):
        share = wanted[split]
        for label in (0, 1):
            part = share[label] / available[label] if isinstance(share, tuple) else share
            targets[row, labels == label] = part * totals[labels == label]
    for label, name in enumerate(LABEL_NAMES):
        asked = round(targets[:, labels == label].sum())
        if asked != available[label]:
            raise ManifestError(
                f"split: {asked} {name} images are requested, but there are {available[label]}"
            )
    return targets


def _sum_by_label(counts: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Sum the strata of each label: [..., strata] to [..., 2]."""
    return np.stack([counts[:, labels == label].sum(axis=1) for label in (0, 1)], axis=1)


def _features(counts: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return the counts to balance: each label and, with less weight, each view of it."""
    return np.hstack([_sum_by_label(counts, labels), _VIEW_WEIGHT * counts])
