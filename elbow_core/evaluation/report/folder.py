"""The folder of a report: replaced as a whole; a folder that holds anything else is refused."""

import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from elbow_core.errors import PredictionsError, UserError
from elbow_core.evaluation.report.content import is_metrics_json
from elbow_core.files import atomic_folder, output_folder, read_json, require_writable

MARK = "metrics.json"

# What reports of this and earlier versions hold; `figures` is a folder.
_DOCUMENTS = re.compile(r"(?:report|checklist)\.(?:md|html)")
_FIGURES = re.compile(
    r"(?:confusion_\d+|calibration|decision|histogram|roc|precision_recall|worst_\d+_\d+)\.png"
)
_SYSTEM_FILES = (".DS_Store", "Thumbs.db", "desktop.ini")  # from looking at the folder
_MAX_BYTES = 2**26  # of metrics.json


def require_report_folder(out: Path) -> None:
    """Raise `PredictionsError` unless ``out`` is absent, empty or an earlier report alone.

    A report has a metrics.json of our schema, and every other entry is one that a report writes.
    """
    try:
        folder = output_folder(out)
        require_writable(folder.absolute().parent)
        entries = sorted(folder.iterdir()) if folder.is_dir() else []
        figures = folder / "figures"
        if figures.is_dir() and not figures.is_symlink():
            entries += sorted(figures.iterdir())
    except (OSError, UserError) as error:
        raise PredictionsError(str(error)) from error
    for entry in entries:
        if not _is_of_report(entry, folder):
            raise PredictionsError(
                f"{out}: holds other files, such as {entry.relative_to(folder)}; move them away, "
                "or name a folder that is new or empty"
            )
    if entries and not _is_metrics(folder / MARK):
        raise PredictionsError(
            f"{out}: holds other files: {MARK} is missing or not that of a report; name a folder "
            "that is new or empty"
        )


@contextmanager
def report_folder(out: Path) -> Iterator[Path]:
    """Yield an empty folder that replaces ``out`` when the block succeeds; it is locked meanwhile.

    After an exception ``out`` is unchanged. Raises `PredictionsError` if it cannot be written,
    holds other files, or another process is writing a report there.
    """
    require_report_folder(out)
    with ExitStack() as stack:
        try:
            folder = stack.enter_context(atomic_folder(out, may_replace=require_report_folder))
        except UserError as error:
            raise PredictionsError(str(error)) from error
        yield folder


def _is_of_report(entry: Path, folder: Path) -> bool:
    if entry == folder / "figures":
        return entry.is_dir() and not entry.is_symlink()
    if entry.is_symlink() or not entry.is_file():
        return False
    if entry.name in _SYSTEM_FILES:
        return True
    if entry.parent == folder:
        return entry.name == MARK or _DOCUMENTS.fullmatch(entry.name) is not None
    return _FIGURES.fullmatch(entry.name) is not None


def _is_metrics(path: Path) -> bool:
    """Return whether a file is the metrics.json of a report, by its schema and its keys."""
    try:
        return is_metrics_json(read_json(path, _MAX_BYTES))
    except (OSError, ValueError):
        return False
