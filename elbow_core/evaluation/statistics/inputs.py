"""Labels and scores in the form that every metric takes."""

import numpy as np
from jaxtyping import Bool, Float, Float64, Integer

Labels = Integer[np.ndarray, " n"] | Bool[np.ndarray, " n"]


def checked_inputs(
    labels: Labels, scores: Float[np.ndarray, " n"]
) -> tuple[Bool[np.ndarray, " n"], Float64[np.ndarray, " n"]]:
    """Return labels as booleans and scores as float64.

    Raises ValueError for no images, different lengths, a label other than 0 and 1, or a score
    that is not finite.
    """
    scores = np.asarray(scores, np.float64)
    if labels.shape != scores.shape or labels.ndim != 1:
        raise ValueError(f"labels {labels.shape} and scores {scores.shape} differ in shape")
    if not labels.size:
        raise ValueError("no images")
    if not np.isin(labels, (0, 1)).all():
        raise ValueError("a label is neither 0 nor 1")
    if not np.isfinite(scores).all():
        raise ValueError("a score is not finite")
    return labels.astype(bool), scores
