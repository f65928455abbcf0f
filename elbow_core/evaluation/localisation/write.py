"""Writing of a report on any number of sets of heat maps of the same images."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from elbow_core.evaluation.localisation.comparison import Comparison
from elbow_core.evaluation.localisation.content import is_localisation_json
from elbow_core.evaluation.localisation.figures import (
    FOLDER,
    draw_failures,
    draw_froc,
    worst_failures,
)
from elbow_core.evaluation.localisation.judging import AGREEMENT
from elbow_core.evaluation.localisation.sections import report_blocks
from elbow_core.evaluation.pages import OwnFolder, own_folder, require_own_folder
from elbow_core.evaluation.report.rendering import Gallery, render_html, render_markdown
from elbow_core.printable import plain_text
from elbow_core.tables import write_csv_table

OF_MAPS = OwnFolder(
    kind="a report on heat maps",
    mark="localisation.json",
    is_mark=is_localisation_json,
    files=re.compile(r"report\.(?:md|html)|images\.csv"),
    # Reports of earlier versions have froc.png.
    folders={FOLDER: re.compile(r"froc\.(?:svg|png)|failure_\d+_\d+\.png")},
)


def require_localisation_folder(out: Path) -> None:
    """Raise `PredictionsError` unless a report on heat maps may be written into ``out``."""
    require_own_folder(out, OF_MAPS)


def write_localisation(comparison: Comparison, out: Path) -> dict[str, Any]:
    """Write a report into the folder ``out`` and return the content of its localisation.json.

    An earlier report of this kind in ``out`` is replaced when the new one is complete.

    Raises `PredictionsError` if ``out`` holds other files or cannot be written, and `HeatMapError`
    for a map that has changed since it was judged and is damaged.
    """
    facts, summaries = comparison.facts, comparison.summaries
    written = comparison.to_json()
    with own_folder(out, OF_MAPS) as folder:
        (folder / FOLDER).mkdir()
        picture = draw_froc(folder, summaries)
        galleries = dict(_galleries(folder, comparison))
        blocks = report_blocks(
            facts,
            summaries,
            differences=comparison.differences,
            subgroups=comparison.subgroups,
            picture=picture,
            galleries=galleries,
        )
        _write(folder / "report.md", render_markdown(facts.title, blocks))
        _write(folder / "report.html", render_html(facts.title, blocks, folder))
        write_csv_table(folder / "images.csv", ("maps", "image_id", *AGREEMENT), _rows(comparison))
        _write(folder / OF_MAPS.mark, json.dumps(written, indent=1, allow_nan=False) + "\n")
    return written


def _galleries(folder: Path, comparison: Comparison) -> Iterator[tuple[str, Gallery]]:
    """Yield the pictures of the sets of trained weights, by label."""
    by_id = {case.image_id: case for case in comparison.cases}
    pairs = zip(comparison.sets, comparison.judged, strict=False)
    for number, (maps, judged) in enumerate(pairs):
        if maps.card.weights == "trained":
            failures, archive = worst_failures(judged), comparison.data.archive
            yield maps.card.label, draw_failures(folder, number, failures, maps, by_id, archive)


def _rows(comparison: Comparison) -> Iterator[tuple[str | float, ...]]:
    for judged in comparison.judged:
        located = np.array(judged.image_id)[judged.located].tolist()
        for image_id, row in zip(located, judged.agreement.tolist(), strict=True):
            yield judged.label, image_id, *(round(value, 6) for value in row)


def _write(path: Path, text: str) -> None:
    path.write_text(plain_text(text), encoding="utf-8")
