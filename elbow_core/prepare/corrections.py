"""Corrections of labels: the verdicts of a label audit, applied to the rows of a data set.

`python -m elbow_core.evaluation.labels` writes the page on which a reader gives them. Ids are those
of the prepared data that were audited. With ``id_key`` these are hashed, so the rows are corrected
after their ids were hashed: the same key is needed, and the file contains no names.
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from elbow_core.dataset import LABEL_NAMES, ManifestRow
from elbow_core.errors import ManifestError
from elbow_core.files import read_regular
from elbow_core.identity import normalise_image_id
from elbow_core.sources import Rejection, ScanResult
from elbow_core.tables import CsvTable, read_csv_table

CORRECTION_COLUMNS = ("image_id", "old_label", "new_label", "verdict", "predictions_sha256")
VERDICTS = ("agree", "change", "unsure")
Unsure = Literal["keep", "leave_out"]

_MAX_BYTES = 1 << 26
_DIGEST = re.compile(r"[0-9a-f]{64}")
_LEFT_OUT = "is left out: a reader was unsure of its label"


@dataclass(frozen=True, slots=True)
class Correction:
    """A verdict on one label: ``agree``, ``change`` or ``unsure``, and where it stands."""

    image_id: str
    old_label: int
    verdict: str
    place: str
    """``file:line``."""

    @property
    def new_label(self) -> int:
        """The label after the verdict; an unsure one changes nothing."""
        return 1 - self.old_label if self.verdict == "change" else self.old_label


@dataclass(frozen=True, slots=True)
class Corrections:
    """The verdicts of one file, by image id in the form in which ids are compared."""

    verdicts: Mapping[str, Correction]
    sha256: str
    """Of the file."""
    predictions: tuple[str, ...]
    """SHA-256 of each predictions file that was audited, sorted."""


def read_corrections(path: Path) -> Corrections:
    """Read a file of corrections, with the columns `CORRECTION_COLUMNS`.

    ``old_label`` and ``new_label`` are 0 normal, 1 injury; ``agree`` repeats the old label,
    ``change`` gives the other one, and ``unsure`` none. ``predictions_sha256`` may be empty. A row
    may be repeated, as in two readers' files that were joined, but not contradicted.

    Raises `ManifestError`, with file and line where there is one.
    """
    try:
        sha256 = hashlib.sha256(read_regular(path, _MAX_BYTES)).hexdigest()
    except OSError as error:
        raise ManifestError(f"{path}: cannot be read: {error.strerror}") from error
    table = read_csv_table(path, ManifestError, _check_columns)
    if not table.rows:
        raise ManifestError(f"{path}: no corrections below the header")
    verdicts: dict[str, Correction] = {}
    for correction in _parse_rows(table):
        key = normalise_image_id(correction.image_id)
        known = verdicts.setdefault(key, correction)
        if (known.old_label, known.verdict) != (correction.old_label, correction.verdict):
            raise ManifestError(
                f"{correction.place}: image {correction.image_id!r}: {_describe(correction)} "
                f"contradicts {_describe(known)} at {known.place}; decide, and remove one row"
            )
    digests = {row.cells["predictions_sha256"] for row in table.rows} - {""}
    return Corrections(verdicts, sha256, tuple(sorted(digests)))


def apply_corrections(
    found: ScanResult, corrections: Corrections, unsure: Unsure = "keep"
) -> ScanResult:
    """Return the rows with their corrected labels; ``leave_out`` rejects images of unsure label.

    A changed label came with a finding and regions that are no longer known to be true: both are
    removed. Raises `ManifestError`, with file and line, for an image that is not among the rows,
    and for an old label that is not that of its row.
    """
    rows = {normalise_image_id(row.image_id): row for row in found.rows}
    for key, correction in corrections.verdicts.items():
        _check_verdict(correction, rows.get(key))
    kept, rejected, changed = [], list(found.rejected), set()
    for key, row in rows.items():
        correction = corrections.verdicts.get(key)
        if correction is None or correction.verdict == "agree":
            kept.append(row)
        elif correction.verdict == "change":
            kept.append(replace(row, label=correction.new_label, finding=""))
            changed.add(row.path)
        elif unsure == "leave_out":
            rejected.append(Rejection(row.path, _LEFT_OUT))
        else:
            kept.append(row)
    regions = {path: boxes for path, boxes in found.regions.items() if path not in changed}
    return ScanResult(kept, rejected, regions)


def _check_columns(columns: tuple[str, ...], place: str) -> None:
    if columns != CORRECTION_COLUMNS:
        raise ManifestError(f"{place}: the header must be {','.join(CORRECTION_COLUMNS)}")


def _parse_rows(table: CsvTable) -> list[Correction]:
    found = []
    for row in table.rows:
        place, cells = table.place(row), row.cells
        if not normalise_image_id(cells["image_id"]):
            raise ManifestError(f"{place}: image_id: is empty")
        if cells["verdict"] not in VERDICTS:
            raise ManifestError(
                f"{place}: verdict: {cells['verdict']!r} is not one of {', '.join(VERDICTS)}"
            )
        if cells["old_label"] not in ("0", "1"):
            raise ManifestError(f"{place}: old_label: {cells['old_label']!r} is not 0 or 1")
        digest = cells["predictions_sha256"]
        if digest and not _DIGEST.fullmatch(digest):
            raise ManifestError(
                f"{place}: predictions_sha256: {digest!r} is not 64 hexadecimal digits"
            )
        correction = Correction(cells["image_id"], int(cells["old_label"]), cells["verdict"], place)
        expected = "" if correction.verdict == "unsure" else str(correction.new_label)
        if cells["new_label"] != expected:
            raise ManifestError(
                f"{place}: new_label: {cells['new_label']!r} contradicts the verdict "
                f"{correction.verdict!r} on the label {correction.old_label}; it must be "
                f"{expected or 'empty'}"
            )
        found.append(correction)
    return found


def _check_verdict(correction: Correction, row: ManifestRow | None) -> None:
    if row is None:
        raise ManifestError(
            f"{correction.place}: image {correction.image_id!r} is not in the data set; give the "
            "source and the id_key of the prepared data that were audited"
        )
    if row.label != correction.old_label:
        raise ManifestError(
            f"{correction.place}: old_label: image {correction.image_id!r} is labelled "
            f"{row.label} ({LABEL_NAMES[row.label]}) in the data set, not {correction.old_label}; "
            "the labels have changed since the audit"
        )


def _describe(correction: Correction) -> str:
    return f"{correction.verdict} (old label {correction.old_label})"
