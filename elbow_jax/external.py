"""Judge a released model on prepared data that are not its own."""

from pathlib import Path

from elbow_core import evaluation
from elbow_core.files import require_utf8_name
from elbow_jax import scoring, training


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
    outputs = evaluation.external_outputs(out)
    released = scoring.read_released(model)
    preprocessing = released.card.preprocessing.model_dump(mode="json")
    data, part = evaluation.open_external(prepared, split, preprocessing)
    scoring.refuse_learnt_images(model, released.card, data, (part,))
    name = evaluation.name_of_model(model, (training.MODEL,))
    own = evaluation.read_own_predictions(internal, validation, data, part, name)
    with outputs.locked():
        predictor = scoring.Predictor(released, batch_size)
        predictions = scoring.predict_split(predictor, data, part, own.model)
        evaluation.write_predictions(outputs.predictions, predictions)
        evaluation.write_external_report(
            predictions,
            data,
            outputs.report,
            own,
            thresholds=released.card.thresholds,
            abstention=released.card.abstention,
        )
    return outputs.report
