"""How many images were found, rejected and used: the first figure of a diagnostic study."""

import csv
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from elbow_core.dataset.manifest import SPLITS, ManifestRow
from elbow_core.errors import ManifestError
from elbow_core.evaluation.predictions import Predictions

MOST_REASONS = 12


def read_rejected(path: Path | str) -> list[tuple[str, str]]:
    """``rejected.csv``: each file that was not used, and why. Raises `ManifestError`."""
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
) -> dict[str, Any]:
    """Counts from found to used, as far as the files given tell; what they do not is None."""
    flow: dict[str, Any] = {
        "found": None,
        "rejected": None,
        "reasons": [],
        "splits": [],
        "used": len(predictions),
        "used_of": None,
        "patients_in_two_splits": None,
    }
    if rejected is not None:
        flow["rejected"] = len(rejected)
        counted = Counter(reason for _, reason in rejected).most_common()
        shown = counted if len(counted) <= MOST_REASONS else counted[: MOST_REASONS - 1]
        flow["reasons"] = [{"reason": reason, "files": files} for reason, files in shown]
        if len(shown) < len(counted):
            others = sum(files for _, files in counted[len(shown) :])
            flow["reasons"].append({"reason": "other reasons", "files": others})
    if rows is None:
        return flow
    if rejected is not None:
        flow["found"] = len(rows) + len(rejected)
    used = set(predictions.image_id.tolist())
    used_splits = {row.split for row in rows if row.image_id in used}
    flow["used_of"] = sum(row.split in used_splits for row in rows)
    of_patient: dict[str, set[str]] = {}
    for row in rows:
        of_patient.setdefault(row.patient_id, set()).add(row.split)
    of_patient.pop("", None)
    if of_patient:
        flow["patients_in_two_splits"] = sum(len(splits) > 1 for splits in of_patient.values())
    ordered = [split for split in (*SPLITS, "") if any(row.split == split for row in rows)]
    for split in ordered:
        of_split = [row for row in rows if row.split == split]
        flow["splits"].append(
            {
                "split": split or "no split",
                "images": len(of_split),
                "injured": sum(row.label for row in of_split),
                "patients": len({row.patient_id for row in of_split if row.patient_id}),
                "used": sum(row.image_id in used for row in of_split),
            }
        )
    return flow
