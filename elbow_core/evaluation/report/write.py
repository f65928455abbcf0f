"""Writing of one report over any number of prediction files on the same images."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from elbow_core.dataset import ManifestRow, open_archive, read_manifest
from elbow_core.errors import PredictionsError
from elbow_core.evaluation.abstention import AbstentionRecord
from elbow_core.evaluation.external import set_pairs, validate_externally
from elbow_core.evaluation.mean_scores import MEAN, mean_of_calibrated, reason_without_mean
from elbow_core.evaluation.operating_points import (
    operating_points,
    temperature_of,
    validation_of,
)
from elbow_core.evaluation.pairing import align
from elbow_core.evaluation.predictions import Predictions
from elbow_core.evaluation.report.checklist import (
    checklist_blocks,
    read_evidence,
    read_run,
)
from elbow_core.evaluation.report.content import (
    ImageFlow,
    InputFile,
    MeanOfModels,
    ReportContent,
    abstention_summary,
    compare_models,
    image_flow,
    input_files,
    metrics_json,
    model_summary,
    read_rejected,
)
from elbow_core.evaluation.report.figures import draw_figures, draw_gallery
from elbow_core.evaluation.report.folder import report_folder
from elbow_core.evaluation.report.inputs import ReportInputs, ReportSettings
from elbow_core.evaluation.report.localisation_table import read_localisation
from elbow_core.evaluation.report.maps_section import draw_maps, open_sets
from elbow_core.evaluation.report.notes import (
    notes_on_abstention,
    notes_on_patients,
    ungrouped_images,
)
from elbow_core.evaluation.report.rendering import Block, render_html, render_markdown
from elbow_core.evaluation.report.sections import report_blocks
from elbow_core.evaluation.statistics import DEFAULT
from elbow_core.evaluation.studies import join_studies
from elbow_core.evaluation.subgroups import Grouping, attributes_of, groupings_of, views_of
from elbow_core.prepare import corrected_images
from elbow_core.printable import plain_text
from elbow_core.progress import track

NO_INPUTS = ReportInputs()
DEFAULT_SETTINGS = ReportSettings()


def write_report(
    predictions: Sequence[Predictions],
    out: Path | str,
    inputs: ReportInputs = NO_INPUTS,
    settings: ReportSettings = DEFAULT_SETTINGS,
) -> dict[str, Any]:
    """Write a report into the folder ``out`` and return the content of its metrics.json.

    The mean of the calibrated scores of all models but ``inputs.fused`` is one more model, where it
    can be computed. An earlier report in ``out`` is replaced when the new one is complete; until
    then ``out`` is locked. Raises `PredictionsError` if the files do not belong together, a name in
    ``inputs.fused`` is no model's, ``out`` holds other files or cannot be written, or another
    process is writing a report there.
    """
    for model in (*predictions, *inputs.validation, *inputs.internal, *inputs.external):
        _require_drawable(model.model)
    _check_fused(inputs.fused, [model.model for model in predictions])
    if inputs.localisation is not None and not inputs.maps:
        raise PredictionsError(f"{inputs.localisation}: measures heat maps; give --maps too")
    if inputs.maps and inputs.archive is None:
        raise PredictionsError(
            f"{inputs.maps[0]}: heat maps are drawn over the radiographs of a prepared folder; "
            "give --archive"
        )
    with report_folder(Path(out)) as folder:
        return _write_into(folder, align(predictions), inputs, settings)


def _write_into(
    folder: Path, predictions: Sequence[Predictions], inputs: ReportInputs, settings: ReportSettings
) -> dict[str, Any]:
    validation = validation_of(predictions, inputs.validation)
    pairs = set_pairs(predictions, inputs.internal, inputs.external)
    files = input_files(predictions, validation.values(), inputs.internal, inputs.external)
    predictions, validation, mean = _with_mean(predictions, validation, inputs.fused)
    rows = None if inputs.manifest is None else read_manifest(inputs.manifest)
    attributes = {} if rows is None else attributes_of(predictions[0], rows)
    groupings, left_out = groupings_of(attributes)
    archive = None if inputs.archive is None else open_archive(inputs.archive)
    measured = {} if inputs.localisation is None else read_localisation(inputs.localisation)
    sets = open_sets(inputs.maps, [model.model for model in predictions])
    run = read_run(inputs.run)
    evidence = read_evidence(inputs.evidence)
    rejected = None if inputs.rejected is None else read_rejected(inputs.rejected)
    # A manifest that was moved away from its prepared folder says nothing about corrections.
    corrected = None if inputs.manifest is None else corrected_images(Path(inputs.manifest).parent)

    content = report_content(
        predictions,
        validation=validation,
        thresholds=inputs.thresholds,
        abstention=inputs.abstention or {},
        pairs=pairs,
        rows=rows,
        groupings=groupings,
        notes=left_out,
        mean=mean,
        flow=image_flow(predictions[0], rows, rejected, corrected),
        files=files,
        settings=settings,
        ungrouped=ungrouped_images(inputs),
    )
    written = metrics_json(content)
    pictures = draw_figures(folder, predictions, content.models, settings.seed)
    galleries = {}
    if archive is not None:
        for number, (name, found) in enumerate(content.models.items()):
            galleries[name] = draw_gallery(folder, number, found.worst, archive)
    maps = []
    if sets and archive is not None:
        by_name = {model.model: model for model in predictions}
        maps = draw_maps(folder, sets, by_name, content.models, archive, settings.seed)
    blocks = report_blocks(content, pictures, galleries, maps, measured)
    _write_document(folder, "report", content.title, blocks)
    if settings.checklist:
        title = f"Reporting checklist: {content.title}"
        _write_document(
            folder, "checklist", title, checklist_blocks(content, written, run, evidence)
        )
    _write(folder / "metrics.json", json.dumps(written, indent=1, allow_nan=False) + "\n")
    return written


def _check_fused(fused: Sequence[str], models: Sequence[str]) -> None:
    for name in fused:
        if name not in models:
            raise PredictionsError(
                f"fused: {name!r} is no model of this report; they are "
                f"{', '.join(map(repr, models))}"
            )
    if MEAN in models:
        raise PredictionsError(
            f"the model name {MEAN!r} is that of the report's own mean; give another with --names"
        )


def _with_mean(
    predictions: Sequence[Predictions], validation: Mapping[str, Predictions], fused: Sequence[str]
) -> tuple[Sequence[Predictions], Mapping[str, Predictions], MeanOfModels]:
    """Return predictions and validation with the mean of the single models as a further model."""
    members = [model for model in predictions if model.model not in fused]
    names = [model.model for model in members]
    if reason := reason_without_mean(members, validation):
        return predictions, validation, MeanOfModels("", names, reason)
    test, chosen_on = mean_of_calibrated(members, validation)
    return (
        [*predictions, test],
        {**validation, MEAN: chosen_on},
        MeanOfModels(MEAN, names, ""),
    )


def report_content(
    predictions: Sequence[Predictions],
    *,
    validation: Mapping[str, Predictions],
    thresholds: Mapping[str, Mapping[str, float]] | None,
    abstention: Mapping[str, AbstentionRecord],
    pairs: Mapping[str, tuple[Predictions, Predictions]],
    rows: Sequence[ManifestRow] | None,
    groupings: Sequence[Grouping],
    notes: Sequence[str],
    mean: MeanOfModels,
    flow: ImageFlow,
    files: Sequence[InputFile],
    settings: ReportSettings,
    ungrouped: int = 0,
) -> ReportContent:
    """Compute all numbers of a report over aligned predictions; ``notes`` are put into it.

    ``pairs`` are the internal and the external set of each model that has both.

    ``rows`` are those of the manifest, for the views of each study's images. ``ungrouped`` images
    of the prepared data count as patients of their own, since nothing says whose they are.
    """
    first = predictions[0]
    models = {}
    for model in track(predictions, len(predictions), "metrics of models", brief=True):
        released = None if thresholds is None else thresholds.get(model.model)
        of_validation = validation.get(model.model)
        points = operating_points(released, of_validation)
        models[model.model] = model_summary(
            model,
            points,
            None if of_validation is None else temperature_of(of_validation),
            groupings,
            join_studies(
                model,
                points[DEFAULT].threshold,
                of_validation,
                None if rows is None else views_of(model, rows),
                None if rows is None or of_validation is None else views_of(of_validation, rows),
            ),
            settings.draws,
            settings.seed,
        )
        if model.model in abstention:
            answered = abstention_summary(model, abstention[model.model])
            models[model.model] = replace(models[model.model], abstention=answered)
    defaults = [models[model.model].operating_points[DEFAULT].threshold for model in predictions]
    external = {
        name: validate_externally(
            *pair, models[name].operating_points[DEFAULT].threshold, settings.seed
        )
        for name, pair in pairs.items()
    }
    patients = first.keys("patient_id")
    known = patients[patients != ""]
    return ReportContent(
        title=settings.title or "Evaluation",
        images=len(first),
        patients=int(np.unique(known).size) or None,
        injured=int(first.label.sum()),
        normal=int(len(first) - first.label.sum()),
        draws=settings.draws,
        seed=settings.seed,
        notes=[
            *notes_on_patients(first, ungrouped),
            *notes_on_abstention(predictions, files, abstention),
            *notes,
        ],
        models=models,
        comparisons=compare_models(predictions, defaults),
        mean=mean,
        external=external,
        flow=flow,
        inputs=files,
    )


def _require_drawable(name: str) -> None:
    """Raise `PredictionsError` for a model name that no figure can show."""
    try:
        name.encode()
    except UnicodeEncodeError as error:
        raise PredictionsError(
            f"the model name {name!a} contains bytes that are not UTF-8; give another with --names"
        ) from error


def _write_document(folder: Path, name: str, title: str, blocks: Sequence[Block]) -> None:
    _write(folder / f"{name}.md", render_markdown(title, blocks))
    _write(folder / f"{name}.html", render_html(title, blocks, folder))


def _write(path: Path, text: str) -> None:
    path.write_text(plain_text(text), encoding="utf-8")
