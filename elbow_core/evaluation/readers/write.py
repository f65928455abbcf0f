"""Writing of the report of one study."""

import json
import re
from pathlib import Path
from typing import Any

from elbow_core.errors import ReaderStudyError
from elbow_core.evaluation.pages import OwnFolder, own_folder, require_own_folder
from elbow_core.evaluation.readers.analysis import analyse
from elbow_core.evaluation.readers.figures import draw_figures
from elbow_core.evaluation.readers.json_content import is_readers_json, json_content
from elbow_core.evaluation.readers.sections import study_blocks
from elbow_core.evaluation.readers.settings import ReaderSettings
from elbow_core.evaluation.readers.study import ReaderStudy
from elbow_core.evaluation.report.rendering import render_html, render_markdown
from elbow_core.printable import plain_text

OF_READERS = OwnFolder(
    kind="a report of readers",
    mark="readers.json",
    is_mark=is_readers_json,
    files=re.compile(r"report\.(?:md|html)"),
    folders={
        "figures": re.compile(
            r"(?:roc|differences_(?:auroc|sensitivity|specificity))"
            r"\.(?:svg|png)"  # PNG in reports of earlier versions
        )
    },
)
DEFAULT_SETTINGS = ReaderSettings()


def require_readers_folder(out: Path) -> None:
    """Raise `PredictionsError` unless a report of readers may be written into ``out``."""
    require_own_folder(out, OF_READERS)


def write_readers_report(
    study: ReaderStudy, out: Path | str, settings: ReaderSettings = DEFAULT_SETTINGS
) -> dict[str, Any]:
    """Write a report into the folder ``out`` and return the content of its readers.json.

    An earlier report of readers in ``out`` is replaced when the new one is complete. Raises
    `ReaderStudyError` for settings that do not fit the study or a name that no figure can show, and
    `PredictionsError` if ``out`` holds other files or cannot be written.
    """
    for name in (*study.readers, *study.modalities):
        _require_drawable(name, study)
    with own_folder(Path(out), OF_READERS) as folder:
        analysis = analyse(study, settings)
        name = Path(study.path).name if study.path else "Study"
        written = json_content(analysis, name)
        blocks = study_blocks(analysis, name, draw_figures(folder, analysis))
        title = settings.title or "Reader study"
        _write(folder / "report.md", render_markdown(title, blocks))
        _write(folder / "report.html", render_html(title, blocks, folder))
        _write(folder / OF_READERS.mark, json.dumps(written, indent=1, allow_nan=False) + "\n")
    return written


def _require_drawable(name: str, study: ReaderStudy) -> None:
    try:
        name.encode()
    except UnicodeEncodeError as error:
        raise ReaderStudyError(
            f"{study.place}: the name {name!a} contains bytes that are not UTF-8; rename it"
        ) from error


def _write(path: Path, text: str) -> None:
    path.write_text(plain_text(text), encoding="utf-8")
