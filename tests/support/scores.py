"""Simulated labels and scores, and small predictions tables."""

import numpy as np

from elbow_core.evaluation import Predictions


def simulated_scores(seed: int, n: int, levels: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Simulate labels of both classes and scores; ``levels`` > 0 rounds the scores: ties."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, n)
    labels[:2] = 0, 1
    scores = 1 / (1 + np.exp(-rng.normal(2 * labels - 1, 1.2)))
    return labels, np.round(scores * levels) / levels if levels else scores


def predictions_of(
    image: list[str], patient: list[str], study: list[str], label, score
) -> Predictions:
    """Return predictions at threshold 0.5 from plain columns."""
    score = np.array(score, np.float64)
    return Predictions(
        np.array(image),
        np.array(patient),
        np.array(study),
        np.array(label),
        score,
        (score >= 0.5).astype(np.int64),
        "m",
    )
