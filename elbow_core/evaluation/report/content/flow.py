"""The flow of images: how many were found, rejected and used."""

import dataclasses
import re
from collections import Counter
from collections.abc import Container, Sequence
from pathlib import Path

from elbow_core.dataset import SPLITS, ManifestRow
from elbow_core.errors import ManifestError
from elbow_core.evaluation.predictions import Predictions
from elbow_core.evaluation.report.content.structure import ImageFlow, SplitCounts
from elbow_core.identity import normalise_id, normalise_image_id
from elbow_core.tables import read_csv_table

MOST_REASONS = 12


def read_rejected(path: Path | str) -> list[tuple[str, str]]:
    """Read ``rejected.csv``: each rejected file and its reason. Raises `ManifestError`."""
    table = read_csv_table(Path(path), ManifestError, _check_columns)
    return [(row.cells["path"], row.cells["reason"]) for row in table.rows]


def _check_columns(columns: tuple[str, ...], place: str) -> None:
    if columns != ("path", "reason"):
        raise ManifestError(f"{place}: the header must be path,reason")


def image_flow(
    predictions: Predictions,
    rows: Sequence[ManifestRow] | None,
    rejected: Sequence[tuple[str, str]] | None,
    corrected: Container[str] | None = None,
) -> ImageFlow:
    """Count images from found to used, as far as the given files say; ids count as compared.

    ``corrected`` holds the images whose labels were changed, as `corrected_images` returns them.
    """
    reasons = [] if rejected is None else _reasons(rejected)
    flow = ImageFlow(
        used=len(predictions),
        rejected=None if rejected is None else len(rejected),
        reasons=reasons,
    )
    if rows is None:
        return flow
    used = set(predictions.keys("image_id").tolist())
    used_splits = {row.split for row in rows if normalise_image_id(row.image_id) in used}
    ordered = [split for split in (*SPLITS, "") if any(row.split == split for row in rows)]
    return dataclasses.replace(
        flow,
        found=None if rejected is None else len(rows) + len(rejected),
        splits=[_split_counts(split, rows, used) for split in ordered],
        used_of=sum(row.split in used_splits for row in rows),
        patients_in_two_splits=_patients_in_two_splits(rows),
        **({} if corrected is None else _corrections(rows, corrected, used)),
    )


def _reasons(rejected: Sequence[tuple[str, str]]) -> list[tuple[str, int]]:
    counted = Counter(_without_names(reason) for _, reason in rejected).most_common()
    if len(counted) <= MOST_REASONS:
        return counted
    shown, others = counted[: MOST_REASONS - 1], counted[MOST_REASONS - 1 :]
    return [*shown, ("other reasons", sum(files for _, files in others))]


def _without_names(reason: str) -> str:
    """Return a reason without the names of files and the texts of their headers.

    A report is for others, and ``rejected.csv`` is not: its reasons quote what a header says, and
    name the image that a file contradicts.
    """
    reason = re.sub(r"is identical to .+, which has", "is identical to an image that has", reason)
    reason = re.sub(r"(?<!\w)(?P<quote>['\"]).*(?P=quote)(?!\w)", "a text", reason)
    return re.sub(r"\S*[/\\]\S*", "a file", reason)


def _split_counts(split: str, rows: Sequence[ManifestRow], used: Container[str]) -> SplitCounts:
    of_split = [row for row in rows if row.split == split]
    return SplitCounts(
        split=split or "no split",
        images=len(of_split),
        injured=sum(row.label for row in of_split),
        patients=len({normalise_id(row.patient_id) for row in of_split} - {""}),
        used=sum(normalise_image_id(row.image_id) in used for row in of_split),
    )


def _corrections(
    rows: Sequence[ManifestRow], corrected: Container[str], used: Container[str]
) -> dict[str, int]:
    keys = [normalise_image_id(row.image_id) for row in rows]
    changed = [key for key in keys if key in corrected]
    return {"corrected": len(changed), "corrected_used": sum(key in used for key in changed)}


def _patients_in_two_splits(rows: Sequence[ManifestRow]) -> int | None:
    splits_of: dict[str, set[str]] = {}
    for row in rows:
        if patient := normalise_id(row.patient_id):
            splits_of.setdefault(patient, set()).add(row.split)
    return sum(len(splits) > 1 for splits in splits_of.values()) if splits_of else None
