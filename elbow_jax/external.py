"""Judge a released model on prepared data that are not its own."""

import dataclasses
import sys
from pathlib import Path
from typing import Any

from elbow_core import evaluation
from elbow_core.dataset import SPLITS, PreparedData, open_prepared, refuse_seen
from elbow_core.errors import ConfigError
from elbow_core.evaluation import Predictions
from elbow_core.files import locked_output, require_utf8_name, require_writable
from elbow_jax import scoring

ALL = "all"
PREDICTIONS, REPORT = "predictions.csv", "report"


def evaluate_model(
    model: Path,
    prepared: Path,
    out: Path,
    split: str,
    batch_size: int,
    internal: Path | None = None,
) -> Path:
    """Write a model's predictions of prepared data and their report; return its directory.

    The operating points stay those of the released model. With ``internal``, the model's
    predictions of its own test set, the report shows that set beside this one.

    Args:
        model: the `model` folder of a finished run.
        prepared: the data, prepared as the model needs it.
        out: the folder to write to, made where it is missing.
        split: of the data; `ALL` for every image.
        batch_size: images that pass through the network at once.
        internal: a predictions file.

    Raises:
        UserError: if the model or the data cannot be read, the data were prepared with other
            settings than the model's, hold images or patients that it learnt from, or an output
            cannot be written.
    """
    require_utf8_name(model)
    require_utf8_name(out.absolute())
    table, report = out / PREDICTIONS, out / REPORT
    require_writable(out)
    released = scoring.read_released(model)
    own = None if internal is None else evaluation.read_predictions(internal)
    name = own.model if own is not None else name_of_model(model)
    data, part = _open(prepared, split)
    require_preprocessing(released.card.preprocessing.model_dump(mode="json"), data)
    seen = scoring.images_seen_by(model, released.card)
    if seen is None:
        lines = [f"{model}: does not list the images that it learnt from; nothing was compared"]
    else:
        lines = refuse_seen(seen, data, (part,), str(model))
    for line in lines:
        print(line, file=sys.stderr)
    out.mkdir(parents=True, exist_ok=True)
    evaluation.require_predictions_file(table)
    evaluation.require_report_folder(report)
    with locked_output(report):
        predictor = scoring.Predictor(released, batch_size)
        predictions = scoring.predict_split(predictor, data, part, name)
        evaluation.write_predictions(table, predictions)
        _write_report(predictions, own, released.card.thresholds, data, report)
    return report


def _write_report(
    predictions: Predictions,
    internal: Predictions | None,
    thresholds: dict[str, float],
    data: PreparedData,
    report: Path,
) -> None:
    title = f"{predictions.model} on {data.directory.name}"
    evaluation.write_report(
        [predictions],
        report,
        evaluation.ReportInputs(
            internal=[] if internal is None else [internal],
            thresholds={predictions.model: thresholds},
            manifest=data.directory / "manifest.csv",
            rejected=data.directory / "rejected.csv",
            archive=data.directory,
        ),
        evaluation.ReportSettings(title=title, checklist=True),
    )


def _open(prepared: Path, split: str) -> tuple[PreparedData, str]:
    """Return the data, and the split that is judged; for `ALL` every image is in it."""
    data = open_prepared(prepared)
    if split == ALL:
        rows = tuple(dataclasses.replace(row, split="test") for row in data.rows)
        return dataclasses.replace(data, rows=rows), "test"
    if not len(data.positions(split)):
        known = [name for name in SPLITS if len(data.positions(name))]
        raise ConfigError(
            f"{prepared}: has no images in the split {split!r}; give --split "
            f"{', '.join([*known, ALL])}"
        )
    return data, split


def require_preprocessing(settings: dict[str, Any], data: PreparedData) -> None:
    """Raise `ConfigError`, which says how to prepare them, for data prepared otherwise."""
    found = data.archive.settings
    if settings == found:
        return
    options = " ".join(
        f"--preprocess.{name} {value}"
        for name, value in settings.items()
        if found.get(name) != value
    )
    raise ConfigError(
        f"{data.directory}: prepared otherwise than the model needs; prepare it into another "
        f"folder with its configuration and {options}"
    )


def name_of_model(model: Path) -> str:
    """Return the name of the run that a `model` folder belongs to, or that of another folder."""
    resolved = model.resolve()
    return resolved.parent.name if resolved.name == "model" else resolved.name
