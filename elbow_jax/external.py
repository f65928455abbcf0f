"""Judge a released model on prepared data that are not its own."""

import sys
from pathlib import Path

from elbow_core import evaluation
from elbow_core.dataset import refuse_seen
from elbow_core.files import locked_output, require_utf8_name, require_writable
from elbow_jax import scoring


def evaluate_model(
    model: Path,
    prepared: Path,
    out: Path,
    split: str,
    batch_size: int,
    internal: Path | None = None,
    validation: Path | None = None,
) -> Path:
    """Write a model's predictions of prepared data and their report; return its directory.

    The operating points stay those of the released model. With ``internal``, the model's
    predictions of its own test set, the report shows that set beside this one.

    Args:
        model: the `model` folder of a finished run.
        prepared: the data, prepared as the model needs it.
        out: the folder to write to, made where it is missing.
        split: of the data; ``all`` for every image.
        batch_size: images that pass through the network at once.
        internal: a predictions file.
        validation: its predictions of its own validation set, for the temperature and the learnt
            join of studies.

    Raises:
        UserError: if the model or the data cannot be read, the data were prepared with other
            settings than the model's, hold images or patients that it learnt from, or an output
            cannot be written.
    """
    require_utf8_name(model)
    require_utf8_name(out.absolute())
    table, report = out / evaluation.EXTERNAL_PREDICTIONS, out / evaluation.EXTERNAL_REPORT
    require_writable(out)
    released = scoring.read_released(model)
    data, part = evaluation.open_external(prepared, split)
    evaluation.require_preprocessing(released.card.preprocessing.model_dump(mode="json"), data)
    seen = scoring.images_seen_by(model, released.card)
    if seen is None:
        lines = [f"{model}: does not list the images that it learnt from; nothing was compared"]
    else:
        lines = refuse_seen(seen, data, (part,), str(model))
    for line in lines:
        print(line, file=sys.stderr)
    own = evaluation.read_own_predictions(internal, validation, data, part, name_of_model(model))
    out.mkdir(parents=True, exist_ok=True)
    evaluation.require_predictions_file(table)
    evaluation.require_report_folder(report)
    with locked_output(report):
        predictor = scoring.Predictor(released, batch_size)
        predictions = scoring.predict_split(predictor, data, part, own.model)
        evaluation.write_predictions(table, predictions)
        evaluation.write_external_report(
            predictions,
            data,
            report,
            own,
            thresholds=released.card.thresholds,
            abstention=released.card.abstention,
        )
    return report


def name_of_model(model: Path) -> str:
    """Return the name of the run that a `model` folder belongs to, or that of another folder."""
    resolved = model.resolve()
    return resolved.parent.name if resolved.name == "model" else resolved.name
