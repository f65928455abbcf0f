"""The folder of a report: replaced as a whole; a folder that holds anything else is refused."""

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from elbow_core.errors import PredictionsError, UserError
from elbow_core.evaluation.report.content import is_metrics_json
from elbow_core.files import atomic_folder, output_folder, read_json, require_writable


@dataclass(frozen=True, slots=True)
class ReportKind:
    """What the folder of a report may hold; ``mark`` is the JSON file that makes it a report.

    ``figures`` are the names in the folder of that name.
    """

    mark: str
    is_mark: Callable[[Any], bool]
    """Whether the content of a JSON file is that of the mark."""
    documents: re.Pattern[str]
    figures: re.Pattern[str]


# What reports of this and earlier versions hold.
OF_MODELS = ReportKind(
    "metrics.json",
    is_metrics_json,
    re.compile(r"(?:report|checklist)\.(?:md|html)"),
    re.compile(
        r"(?:confusion_\d+|calibration|decision|histogram|roc|precision_recall|worst_\d+_\d+)\.png"
    ),
)
_SYSTEM_FILES = (".DS_Store", "Thumbs.db", "desktop.ini")  # from looking at the folder
_MAX_BYTES = 2**26  # of the mark


def require_report_folder(out: Path, kind: ReportKind = OF_MODELS) -> None:
    """Raise `PredictionsError` unless ``out`` is absent, empty or an earlier report alone.

    A report has the mark of its kind, and every other entry is one that such a report writes.
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
        if not _is_of_report(entry, folder, kind):
            raise PredictionsError(
                f"{out}: holds other files, such as {entry.relative_to(folder)}; move them away, "
                "or name a folder that is new or empty"
            )
    if entries and not _is_marked(folder / kind.mark, kind):
        raise PredictionsError(
            f"{out}: holds other files: {kind.mark} is missing or not that of a report; name a "
            "folder that is new or empty"
        )


@contextmanager
def report_folder(out: Path, kind: ReportKind = OF_MODELS) -> Iterator[Path]:
    """Yield an empty folder that replaces ``out`` when the block succeeds; it is locked meanwhile.

    After an exception ``out`` is unchanged. Raises `PredictionsError` if it cannot be written,
    holds other files, or another process is writing a report there.
    """

    def check(folder: Path) -> None:
        require_report_folder(folder, kind)

    check(out)
    with ExitStack() as stack:
        try:
            folder = stack.enter_context(atomic_folder(out, may_replace=check))
        except UserError as error:
            raise PredictionsError(str(error)) from error
        yield folder


def _is_of_report(entry: Path, folder: Path, kind: ReportKind) -> bool:
    if entry == folder / "figures":
        return entry.is_dir() and not entry.is_symlink()
    if entry.is_symlink() or not entry.is_file():
        return False
    if entry.name in _SYSTEM_FILES:
        return True
    if entry.parent == folder:
        return entry.name == kind.mark or kind.documents.fullmatch(entry.name) is not None
    return kind.figures.fullmatch(entry.name) is not None


def _is_marked(path: Path, kind: ReportKind) -> bool:
    """Return whether a file is the mark of such a report, by its schema and its keys."""
    try:
        return kind.is_mark(read_json(path, _MAX_BYTES))
    except (OSError, ValueError):
        return False
