"""Logistic regression by maximum likelihood, with an offset and a ridge penalty where wanted."""

import numpy as np
from jaxtyping import Bool, Float64
from scipy.special import expit


def fit_logistic(
    design: Float64[np.ndarray, "n terms"],
    positive: Bool[np.ndarray, " n"],
    offset: Float64[np.ndarray, " n"] | None = None,
    penalty: Float64[np.ndarray, " terms"] | None = None,
) -> Float64[np.ndarray, " terms"] | None:
    """Return the weights of the log-odds ``design @ weights + offset`` that fit the labels best.

    The negative log-likelihood plus half of ``sum(penalty * weights ** 2)`` is minimised by
    Newton's method with step halving. None where there is no minimum: terms that depend on each
    other or labels that a term separates, without a penalty on them.

    Reference: le Cessie and van Houwelingen, Applied Statistics 41:191 (1992), for the penalty.
    """
    start = np.zeros(positive.size) if offset is None else offset
    ridge = np.zeros(design.shape[1]) if penalty is None else penalty

    def loss(weights: np.ndarray) -> float:
        margin = np.where(positive, 1, -1) * (design @ weights + start)
        return float(np.logaddexp(0, -margin).sum() + np.sum(ridge * weights**2) / 2)

    weights = np.zeros(design.shape[1])
    for _ in range(100):
        fitted = expit(design @ weights + start)
        curvature = design.T @ (design * (fitted * (1 - fitted))[:, None]) + np.diag(ridge)
        if np.linalg.cond(curvature) > 1e12:
            return None
        step = np.linalg.solve(curvature, design.T @ (positive - fitted) - ridge * weights)
        size = 1.0
        while loss(weights + size * step) > loss(weights) and size > 1e-6:
            size /= 2
        weights = weights + size * step
        if np.abs(step).max() < 1e-9:
            return weights
        if np.abs(weights).max() > 1e4:
            return None
    return None
