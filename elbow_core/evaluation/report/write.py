"""One report over any number of prediction files on the same images, written into one folder."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from elbow_core.dataset.archive import open_archive
from elbow_core.dataset.manifest import read_manifest
from elbow_core.evaluation.operating_points import (
    DEFAULT,
    operating_points,
    temperature_of,
    validation_of,
)
from elbow_core.evaluation.pairing import align
from elbow_core.evaluation.predictions import Predictions
from elbow_core.evaluation.report.checklist import checklist_blocks, read_run
from elbow_core.evaluation.report.drawing import draw, draw_gallery
from elbow_core.evaluation.report.flow import image_flow, read_rejected
from elbow_core.evaluation.report.folder import refuse_foreign_folder, replacing_folder
from elbow_core.evaluation.report.html import render_html
from elbow_core.evaluation.report.markdown import render_markdown
from elbow_core.evaluation.report.sections import report_blocks
from elbow_core.evaluation.report.summary import comparisons, json_ready, model_summary
from elbow_core.evaluation.statistics.intervals import DRAWS
from elbow_core.evaluation.subgroups import attributes_of

SCHEMA = 1
NO_PATIENTS = (
    "No patient is named, so images count as independent; if some share a patient, the intervals "
    "are too narrow."
)


def write_report(
    predictions: Sequence[Predictions],
    out: Path | str,
    title: str = "",
    *,
    validation: Sequence[Predictions] = (),
    thresholds: Mapping[str, Mapping[str, float]] | None = None,
    manifest: Path | str | None = None,
    rejected: Path | str | None = None,
    archive: Path | str | None = None,
    checklist: bool = False,
    run_directory: Path | None = None,
    draws: int = DRAWS,
    seed: int = 0,
) -> dict:
    """Write a report into the folder ``out`` and return what its metrics.json holds.

    ``validation`` holds each model's predictions on its validation set: operating points and a
    temperature are chosen there. ``thresholds`` are operating points that a model froze, by model
    and name, and go before that. ``manifest`` gives subgroups and the flow of images, ``rejected``
    the files that were not used, ``archive`` (a prepared folder) the pictures of the worst errors.
    ``checklist`` adds one after TRIPOD+AI and CLAIM, filled from all this and ``run_directory``.

    An earlier report in ``out`` is replaced once the new one is whole. Raises `PredictionsError`
    if the files do not belong together or ``out`` is a folder of something else.
    """
    out = Path(out)
    refuse_foreign_folder(out)
    predictions = align(predictions)
    validated = validation_of(predictions, validation)
    first = predictions[0]
    rows = None if manifest is None else read_manifest(manifest)
    attributes = None if rows is None else attributes_of(first, rows)
    images = None if archive is None else open_archive(archive)
    described = read_run(run_directory)
    refused = None if rejected is None else read_rejected(rejected)

    models: dict[str, Any] = {}
    for model in predictions:
        of_validation = validated.get(model.model)
        frozen = None if thresholds is None else thresholds.get(model.model)
        points = operating_points(frozen, of_validation)
        models[model.model] = model_summary(
            model, points, temperature_of(of_validation), attributes, draws, seed
        )
    cuts = [models[m.model]["operating_points"][DEFAULT]["threshold"] for m in predictions]
    known = first.patient_id[first.patient_id != ""]
    content = json_ready(
        {
            "schema": SCHEMA,
            "title": title or "Evaluation",
            "images": len(first),
            "patients": int(np.unique(known).size) or None,
            "injured": int(first.label.sum()),
            "normal": int(len(first) - first.label.sum()),
            "draws": draws,
            "seed": seed,
            "notes": [] if known.size == len(first) else [_note_on_patients(known.size, first)],
            "models": models,
            "comparisons": comparisons(predictions, cuts),
            "flow": image_flow(first, rows, refused),
            "inputs": [
                *(_input(model, "predictions") for model in predictions),
                *(_input(model, "validation") for model in validated.values()),
            ],
        }
    )
    with replacing_folder(out) as folder:
        pictures = draw(folder, predictions, content["models"], seed)
        galleries = {}
        if images is not None:
            for number, (name, found) in enumerate(content["models"].items()):
                galleries[name] = draw_gallery(folder, number, found["worst"], images)
        blocks = report_blocks(content, pictures, galleries)
        _write(folder / "report.md", render_markdown(content["title"], blocks))
        _write(folder / "report.html", render_html(content["title"], blocks, folder))
        if checklist:
            items = checklist_blocks(content, described)
            name = f"Reporting checklist: {content['title']}"
            _write(folder / "checklist.md", render_markdown(name, items))
            _write(folder / "checklist.html", render_html(name, items, folder))
        _write(folder / "metrics.json", json.dumps(content, indent=1, allow_nan=False) + "\n")
    return content


def _note_on_patients(known: int, predictions: Predictions) -> str:
    if not known:
        return NO_PATIENTS
    unknown = len(predictions) - known
    return f"{unknown} images name no patient; each of them counts as a patient of its own."


def _input(predictions: Predictions, role: str) -> dict[str, Any]:
    path = Path(predictions.path) if predictions.path else None
    digest = "" if path is None else hashlib.sha256(path.read_bytes()).hexdigest()
    # The name alone: a folder may tell more about a hospital's machine than a report should.
    name = predictions.model if path is None else path.name
    return {"file": name, "role": role, "rows": len(predictions), "sha256": digest}


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")
