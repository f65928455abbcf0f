"""Training, validation and test sets that share no patient and no image."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from elbow_core.dataset.assignment import assign_groups
from elbow_core.dataset.manifest import LABEL_NAMES, SPLITS, ManifestRow
from elbow_core.errors import ManifestError

_VIEW_WEIGHT = 0.3
_RESTARTS = 20
_NAMED = 5


def split_patients(
    rows: Sequence[ManifestRow],
    wanted: Mapping[str, float] | Mapping[str, tuple[int, int]],
    seed: int,
    alike: Iterable[tuple[int, int]] = (),
) -> list[ManifestRow]:
    """Give every row a split, keeping a patient's images, and byte-identical images, together.

    ``alike`` are the positions of further rows to keep together, in pairs.

    ``wanted`` gives for each split a fraction of the images (they sum to 1), or its exact numbers
    of images, (normal, injury). Each split gets the labels, and as well as it can the views, in the
    proportion of the whole. The result depends on the set of rows and the seed, not on their order.

    Raises `ManifestError` where a split would be without a class, and where exact numbers do not
    add up to what is there or cannot be met with whole patients.

    Reference: the criterion of `sklearn.model_selection.StratifiedGroupKFold`, least squared
    deviation per class, here for sets of unequal sizes and refined by exchanging groups.
    """
    groups = _group(rows, alike)
    names = [name for name in SPLITS if wanted.get(name)]
    strata = sorted({(row.label, row.view) for row in rows})
    labels = np.array([label for label, _ in strata])
    counts = np.array([_count(rows, group, strata) for group in groups], float)
    targets = _targets(wanted, names, labels, counts.sum(axis=0))
    wanted_labels = _fold(targets, labels)
    exact = any(isinstance(share, tuple) for share in wanted.values())
    nearest = np.inf
    chosen = np.zeros(len(groups), int)
    reached = np.zeros_like(wanted_labels)
    for restart in range(_RESTARTS if exact else 1):
        rng = np.random.default_rng([seed, restart])
        tried = assign_groups(_features(counts, labels), _features(targets, labels), rng)
        sums = np.stack([counts[tried == split].sum(axis=0) for split in range(len(names))])
        deviation = np.abs(_fold(sums, labels) - wanted_labels).sum()
        if deviation < nearest:
            nearest, chosen, reached = deviation, tried, _fold(sums, labels)
        if nearest < 0.5:
            break
    if exact and nearest >= 0.5:
        raise ManifestError(
            "split: whole patients do not add up to the counts; the nearest are "
            + "; ".join(
                f"{name} {normal:.0f} normal, {injury:.0f} injury"
                for name, (normal, injury) in zip(names, reached, strict=True)
            )
        )
    split_rows = list(rows)
    for group, split in zip(groups, chosen, strict=True):
        for position in group:
            split_rows[position] = replace(rows[position], split=names[split])
    check_classes(split_rows, names)
    return split_rows


def check_classes(rows: Iterable[ManifestRow], splits: Iterable[str]) -> None:
    """Raise `ManifestError` that names each split which has no image of a class."""
    present = {(row.split, row.label) for row in rows}
    empty = [
        f"{split} has no {name} image"
        for split in splits
        for label, name in enumerate(LABEL_NAMES)
        if (split, label) not in present
    ]
    if empty:
        raise ManifestError(f"split: {'; '.join(empty)}")


def check_leakage(rows: Iterable[ManifestRow]) -> None:
    """Raise `ManifestError` where a patient, or a byte-identical image, is in two splits.

    Images without a digest are compared by patient only.
    """
    patients: dict[str, dict[str, str]] = defaultdict(dict)
    images: dict[str, dict[str, str]] = defaultdict(dict)
    for row in rows:
        patients[row.patient_id].setdefault(row.split, row.image_id)
        if row.sha256:
            images[row.sha256].setdefault(row.split, row.image_id)
    shared = [f"{patient} ({_where(at)})" for patient, at in patients.items() if len(at) > 1]
    if shared:
        raise ManifestError(f"leak: {_some('patients in two splits', shared)}")
    copies = [_where(at) for at in images.values() if len(at) > 1]
    if copies:
        raise ManifestError(f"leak: {_some('identical images in two splits', copies)}")


def check_disjoint(
    pretraining_rows: Iterable[ManifestRow], target_rows: Iterable[ManifestRow]
) -> None:
    """Raise `ManifestError` where the pretraining set holds an image or patient of the target set.

    Patients are compared within a source: another hospital's patient 12 is another patient. Every
    row needs its digest, as a prepared manifest has it.
    """
    target = list(target_rows)
    pretraining = list(pretraining_rows)
    for row in (*pretraining, *target):
        if not row.sha256:
            raise ManifestError(f"{row.image_id}: has no sha256; use prepared manifests")
    images = {row.sha256: row for row in target}
    patients = {(row.source, row.patient_id) for row in target}
    copies = [
        f"{row.image_id} is {images[row.sha256].image_id}"
        for row in pretraining
        if row.sha256 in images
    ]
    if copies:
        raise ManifestError(f"leak: {_some('pretraining images in the target set', copies)}")
    shared = sorted(
        {row.patient_id for row in pretraining if (row.source, row.patient_id) in patients}
    )
    if shared:
        raise ManifestError(f"leak: {_some('pretraining patients in the target set', shared)}")


def find_contradictions(rows: Iterable[ManifestRow]) -> dict[str, str]:
    """Return, for each image with a byte-identical one of the other label, that one's id."""
    first: dict[tuple[str, int], str] = {}
    rows = [row for row in rows if row.sha256]
    for row in rows:
        first.setdefault((row.sha256, row.label), row.image_id)
    return {
        row.image_id: first[row.sha256, 1 - row.label]
        for row in rows
        if (row.sha256, 1 - row.label) in first
    }


def count_classes(rows: Iterable[ManifestRow]) -> dict[str, tuple[int, int]]:
    """Return (normal, injury) image counts for each split that has any, in the splits' order."""
    found = Counter((row.split, row.label) for row in rows)
    return {
        split: (found[split, 0], found[split, 1])
        for split in SPLITS
        if found[split, 0] + found[split, 1]
    }


def _group(rows: Sequence[ManifestRow], alike: Iterable[tuple[int, int]]) -> list[list[int]]:
    """Join the rows that share a patient or a digest or are alike, directly or through others."""
    parent = list(range(len(rows)))

    def find(position: int) -> int:
        while parent[position] != position:
            parent[position] = parent[parent[position]]
            position = parent[position]
        return position

    owner: dict[tuple[str, str], int] = {}
    for position, row in enumerate(rows):
        for key in (("patient", row.patient_id), ("sha256", row.sha256)):
            if key[1]:
                parent[find(position)] = find(owner.setdefault(key, position))
    for position, other in alike:
        parent[find(position)] = find(other)
    members: dict[int, list[int]] = defaultdict(list)
    for position in range(len(rows)):
        members[find(position)].append(position)
    # By the first id, so that the order of the rows has no influence.
    return sorted(members.values(), key=lambda group: min(rows[at].image_id for at in group))


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
    """Return the images wanted in each split and stratum."""
    targets = np.zeros((len(names), len(labels)))
    available = {label: int(totals[labels == label].sum()) for label in (0, 1)}
    for label, name in enumerate(LABEL_NAMES):
        if not available[label]:
            raise ManifestError(f"split: there is no {name} image at all")
    for at, split in enumerate(names):
        share = wanted[split]
        for label in (0, 1):
            part = share[label] / available[label] if isinstance(share, tuple) else share
            targets[at, labels == label] = part * totals[labels == label]
    for label, name in enumerate(LABEL_NAMES):
        asked = round(targets[:, labels == label].sum())
        if asked != available[label]:
            raise ManifestError(
                f"split: {asked} {name} images are asked for and {available[label]} are there"
            )
    return targets


def _fold(counts: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Sum the strata of each label: [..., strata] to [..., 2]."""
    return np.stack([counts[:, labels == label].sum(axis=1) for label in (0, 1)], axis=1)


def _features(counts: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """What is balanced: the labels, and with less weight the views within each."""
    return np.hstack([_fold(counts, labels), _VIEW_WEIGHT * counts])


def _where(at: Mapping[str, str]) -> str:
    return ", ".join(f"{image} in {split or 'no split'}" for split, image in at.items())


def _some(problem: str, found: Sequence[str]) -> str:
    more = f"; and {len(found) - _NAMED} more" if len(found) > _NAMED else ""
    return f"{len(found)} {problem}: {'; '.join(found[:_NAMED])}{more}"
