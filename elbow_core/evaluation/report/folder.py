"""The folder of a report: replaced as a whole; a folder that holds anything else is refused."""

import re
from contextlib import AbstractContextManager
from pathlib import Path

from elbow_core.evaluation.pages import OwnFolder, own_folder, require_own_folder
from elbow_core.evaluation.report.content import is_metrics_json

_REPORT = OwnFolder(
    kind="a report",
    mark="metrics.json",
    is_mark=is_metrics_json,
    files=re.compile(r"(?:report|checklist)\.(?:md|html)"),
    folders={
        "figures": re.compile(
            r"(?:confusion_\d+|calibration|decision|histogram(?:_\d+)?|roc|precision_recall)"
            r"\.(?:svg|png)"  # PNG in reports of earlier versions
            r"|(?:worst_\d+_\d+|map_\d+_(?:worst|sample)_\d+)\.png"
        )
    },
)


def require_report_folder(out: Path) -> None:
    """Raise `PredictionsError` unless ``out`` is absent, empty or an earlier report alone."""
    require_own_folder(out, _REPORT)


def report_folder(out: Path) -> AbstractContextManager[Path]:
    """Return the context of `elbow_core.evaluation.pages.own_folder` for a report."""
    return own_folder(out, _REPORT)
