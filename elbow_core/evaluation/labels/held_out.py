"""Scores of images that a network learnt from say nothing about their labels."""

from dataclasses import replace
from pathlib import Path

from elbow_core.dataset import SEEN_FILE, PreparedData, refuse_seen, seen_by_run
from elbow_core.errors import ManifestError, PredictionsError
from elbow_core.evaluation.predictions import Predictions
from elbow_core.identity import normalise_image_id


def refuse_learnt(path: Path, scored: Predictions, data: PreparedData) -> None:
    """Refuse predictions of a run on its own training images, or on their patients' others.

    The run is the folder of the predictions file. Nothing is known about a file that lies
    elsewhere, nor about a run of an earlier version. The predictions of a cross-validation lie
    beside its runs.

    Raises:
        PredictionsError: naming the images.
        ConfigError: if the run's list is damaged, or cannot be compared with these data.
    """
    run = path.parent
    seen = seen_by_run(run) if (run / SEEN_FILE).is_file() else None
    if seen is None:
        return
    scored_ids = set(scored.keys("image_id").tolist())
    # In the place of a validation set, into which only training images leak.
    rows = tuple(
        replace(row, split="validation" if normalise_image_id(row.image_id) in scored_ids else "")
        for row in data.rows
    )
    try:
        refuse_seen(seen, replace(data, rows=rows), ("validation",), f"the run {run}")
    except ManifestError as error:
        raise PredictionsError(
            f"{path}: a label audit needs scores of networks that have not learnt from the image, "
            f"as of python -m elbow_jax.crossval: {error}"
        ) from error
