"""Score a split of prepared data with a released model."""

from elbow_core.dataset import PreparedData
from elbow_core.evaluation import Predictions, predictions_of_rows
from elbow_core.progress import track
from elbow_jax.data import scoring_batches
from elbow_jax.scoring.predictor import Predictor


def predict_split(predictor: Predictor, data: PreparedData, split: str, name: str) -> Predictions:
    """Return a model's predictions for a split, in manifest order, at its default threshold.

    Args:
        predictor: the model.
        data: prepared data.
        split: one of its splits.
        name: of the model in predictions and reports.

    Raises:
        ConfigError: if the split is empty.
        UserError: as `Predictor.score` does, naming the image by its id.
    """
    size = predictor.batch_size
    batches = track(
        scoring_batches(data, split, batch_size=size),
        len(data.positions(split)),
        f"score {split}",
        brief=True,
        each=size,
    )
    positions, scores = predictor.score(batches, lambda position: data.rows[position].image_id)
    rows = [data.rows[position] for position in positions]
    return predictions_of_rows(rows, scores, scores >= predictor.card.thresholds["default"], name)
