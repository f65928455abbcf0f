"""Writing of one label audit: the page, the ranking and the record."""

import hashlib
import importlib.metadata
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from elbow_core.dataset import open_prepared, read_near_duplicates
from elbow_core.errors import PredictionsError
from elbow_core.evaluation.labels.folder import AUDIT_FOLDER, PAGE, RANKING, RECORD, SCHEMA
from elbow_core.evaluation.labels.held_out import refuse_learnt
from elbow_core.evaluation.labels.page import AuditFacts, audit_page
from elbow_core.evaluation.labels.ranking import AuditedLabel, rank_labels
from elbow_core.evaluation.pages import ArchivedPictures, own_folder, require_own_folder
from elbow_core.evaluation.predictions import Predictions, read_predictions
from elbow_core.evaluation.statistics import auroc, clusters_of
from elbow_core.evaluation.statistics.differences import area_interval
from elbow_core.files import read_regular
from elbow_core.printable import plain_text
from elbow_core.tables import write_csv_table

RANKING_COLUMNS = ("rank", "image_id", "label", "score", "quality", "flagged", "contradicts")
NEAR_DUPLICATES = "near_duplicates.csv"
PICTURE_PIXELS = 512

_MAX_BYTES = 1 << 26  # of the predictions, as of any table


@dataclass(frozen=True, slots=True)
class AuditSummary:
    """The counts of an audit, for the terminal."""

    labels: int
    shown: int
    flagged: int
    contradicting_pairs: int
    auroc: float
    low: float
    """Lower end of the 95 % interval of ``auroc``."""


def write_audit(predictions: Path, prepared: Path, out: Path, images: int) -> AuditSummary:
    """Write the audit of the labels in a predictions file into the folder ``out``.

    The page shows the ``images`` most doubtful labels, and the ranking lists all. An earlier audit
    in ``out`` is replaced when the new one is complete. Raises `UserError` if the predictions are
    not of images of the prepared data, or of images that their own run learnt from, or ``out``
    holds other files or cannot be written.
    """
    require_own_folder(out, AUDIT_FOLDER)
    scored, digest = _read(predictions)
    data = open_prepared(prepared)
    refuse_learnt(predictions, scored, data)
    pairs = read_near_duplicates(prepared / NEAR_DUPLICATES)
    ranked = rank_labels(scored, data.rows, pairs)
    shown = ranked[:images]
    summary = _summary(scored, ranked, len(shown))
    with own_folder(out, AUDIT_FOLDER) as folder:
        write_csv_table(
            folder / RANKING,
            RANKING_COLUMNS,
            (_row(rank, label) for rank, label in enumerate(ranked, start=1)),
        )
        facts = AuditFacts(
            model=scored.model,
            file=predictions.name,
            sha256=digest,
            labels=summary.labels,
            flagged=summary.flagged,
            contradicting_pairs=summary.contradicting_pairs,
            auroc=summary.auroc,
        )
        page = audit_page(facts, shown, ArchivedPictures(data.archive, PICTURE_PIXELS))
        (folder / PAGE).write_text(plain_text(page), encoding="utf-8")
        record = {
            "schema": SCHEMA,
            "predictions": {"file": predictions.name, "sha256": digest, "model": scored.model},
            "archive": data.archive.fingerprint,
            "labels": summary.labels,
            "flagged": summary.flagged,
            "contradicting_pairs": summary.contradicting_pairs,
            "shown": summary.shown,
            "auroc": summary.auroc,
            "cleanlab": importlib.metadata.version("cleanlab"),
        }
        (folder / RECORD).write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    return summary


def _read(path: Path) -> tuple[Predictions, str]:
    """Return the predictions and the SHA-256 of their file."""
    try:
        digest = hashlib.sha256(read_regular(path, _MAX_BYTES)).hexdigest()
    except OSError as error:
        raise PredictionsError(f"{path}: cannot be read: {error.strerror}") from error
    return read_predictions(path), digest


def _summary(scored: Predictions, ranked: Sequence[AuditedLabel], shown: int) -> AuditSummary:
    patients = clusters_of(scored.keys("patient_id"))
    low, _ = area_interval(scored.label, scored.score, patients)
    return AuditSummary(
        labels=len(scored),
        shown=shown,
        flagged=sum(label.flagged for label in ranked),
        contradicting_pairs=sum(len(label.twins) for label in ranked) // 2,
        auroc=auroc(scored.label, scored.score),
        low=low,
    )


def _row(rank: int, label: AuditedLabel) -> tuple[str | int, ...]:
    return (
        rank,
        label.image_id,
        label.label,
        "" if label.score is None else repr(label.score),
        "" if label.quality is None else f"{label.quality:.6f}",
        int(label.flagged),
        label.twins[0].image_id if label.twins else "",
    )
