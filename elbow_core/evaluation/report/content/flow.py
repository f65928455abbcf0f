"""The flow of images: how many were found, rejected and used."""

import csv
import dataclasses
from collections import Counter
from collections.abc import Container, Sequence
from pathlib import Path

from elbow_core.dataset import SPLITS, ManifestRow
from elbow_core.errors import ManifestError
from elbow_core.evaluation.predictions import Predictions
from elbow_core.evaluation.report.content.structure import ImageFlow, SplitCounts

MOST_REASONS = 12


def read_rejected(path: Path | str) -> list[tuple[str, str]]:
    """Read ``rejected.csv``: each rejected file and its reason. Raises `ManifestError`."""
    path = Path(path)
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            header, *rows = csv.reader(file)
    except (OSError, UnicodeDecodeError, csv.Error, ValueError) as error:
        raise ManifestError(f"{path}: cannot be read as rejected.csv: {error}") from None
    if header != ["path", "reason"]:
        raise ManifestError(f"{path}:1: the header must be path,reason")
    for number, row in enumerate(rows, 2):
        if len(row) != 2:
            raise ManifestError(f"{path}:{number}: {len(row)} values under 2 columns")
    return [(row[0], row[1]) for row in rows]


def image_flow(
    predictions: Predictions,
    rows: Sequence[ManifestRow] | None,
    rejected: Sequence[tuple[str, str]] | None,
) -> ImageFlow:
    """Count images from found to used, as far as the given files say."""
    reasons = [] if rejected is None else _reasons(rejected)
    flow = ImageFlow(
        used=len(predictions),
        rejected=None if rejected is None else len(rejected),
        reasons=reasons,
    )
    if rows is None:
        return flow
    used = set(predictions.image_id.tolist())
    used_splits = {row.split for row in rows if row.image_id in used}
    ordered = [split for split in (*SPLITS, "") if any(row.split == split for row in rows)]
    return dataclasses.replace(
        flow,
        found=None if rejected is None else len(rows) + len(rejected),
        splits=[_split_counts(split, rows, used) for split in ordered],
        used_of=sum(row.split in used_splits for row in rows),
        patients_in_two_splits=_patients_in_two_splits(rows),
    )


def _reasons(rejected: Sequence[tuple[str, str]]) -> list[tuple[str, int]]:
    counted = Counter(reason for _, reason in rejected).most_common()
    if len(counted) <= MOST_REASONS:
        return counted
    shown, others = counted[: MOST_REASONS - 1], counted[MOST_REASONS - 1 :]
    return [*shown, ("other reasons", sum(files for _, files in others))]


def _split_counts(split: str, rows: Sequence[ManifestRow], used: Container[str]) -> SplitCounts:
    of_split = [row for row in rows if row.split == split]
    return SplitCounts(
        split=split or "no split",
        images=len(of_split),
        injured=sum(row.label for row in of_split),
        patients=len({row.patient_id for row in of_split if row.patient_id}),
        used=sum(row.image_id in used for row in of_split),
    )


def _patients_in_two_splits(rows: Sequence[ManifestRow]) -> int | None:
    splits_of: dict[str, set[str]] = {}
    for row in rows:
        if row.patient_id:
            splits_of.setdefault(row.patient_id, set()).add(row.split)
    return sum(len(splits) > 1 for splits in splits_of.values()) if splits_of else None
