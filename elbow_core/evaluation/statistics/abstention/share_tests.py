"""Tests that a share among the images that are called is above a wanted one, over patients.

Let c be the number of a patient's images that are called, w that of the wrong ones among them, and
m the weight: the number of images of the patient, or the greatest number that any patient may have.
The share among the called images is the ratio E[w / m] / E[c / m] over patients. It is above alpha
just if the excess

    X = (w - alpha c) / m

has a mean above 0. X lies in -alpha..1 - alpha, so the bounds for the mean of independent patients
apply to it. Nothing is assumed about the images of one patient.
"""

from fractions import Fraction

import numpy as np
from jaxtyping import Bool, Float64, Int64
from scipy.special import bdtr, logsumexp

# The greatest stake, 1, would lose everything at one patient whose images are all wrong.
STAKES = np.array([0.99, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3])


def binomial_p_values(
    called: Int64[np.ndarray, " tests"], wrong: Int64[np.ndarray, " tests"], alpha: Fraction
) -> Float64[np.ndarray, " tests"]:
    """Return p of the exact test that the share is above ``alpha``, one image per patient.

    Given the number of called images, the wrong ones are binomial. It is 1 where none is called.
    """
    found = bdtr(wrong.astype(np.float64), called, float(alpha))
    return np.where(called > 0, found, 1.0)


def log_wealth(
    called: Int64[np.ndarray, "patients tests"],
    wrong: Int64[np.ndarray, "patients tests"],
    weights: Int64[np.ndarray, " patients"],
    alpha: Fraction,
) -> Float64[np.ndarray, "stakes tests"]:
    """Return the logarithm of the wealth of bets that the mean of X is not above 0, by stake.

    A bet with stake s multiplies the wealth by 1 - s X / (1 - alpha) at every patient. The factors
    are not negative, and where the mean of X is 0 or more their mean is at most 1. So the mean of
    the wealth after independent patients is at most 1 too. Wealths of further patients multiply:
    their logarithms are added.

    Reference: Waudby-Smith and Ramdas, Journal of the Royal Statistical Society B 86:1 (2024).
    """
    level = float(alpha)
    excess = (wrong - level * called) / weights[:, None]
    return np.stack([np.log1p(-(s / (1 - level)) * excess).sum(axis=0) for s in STAKES])


def betting_p_values(
    log_wealths: Float64[np.ndarray, "stakes tests"],
) -> Float64[np.ndarray, " tests"]:
    """Return p of the test that the mean of X is above 0, from the wealth of all patients.

    The mean of the wealths over the stakes, which are fixed before the data, has a mean of at most
    1 too, so by Markov's inequality its reciprocal is a valid p. It does not depend on the order of
    the patients.
    """
    log_mean = logsumexp(log_wealths, axis=0) - np.log(STAKES.size)
    return np.exp(-np.maximum(log_mean, 0.0))


def fallback(
    p_values: Float64[np.ndarray, " tests"], weights: Float64[np.ndarray, " tests"]
) -> tuple[Bool[np.ndarray, " tests"], Float64[np.ndarray, " tests"]]:
    """Return which hypotheses of a fixed sequence are rejected, and the level that each had.

    The level of a hypothesis is its own weight, and that of its predecessor too if that one was
    rejected. The probability of rejecting any true hypothesis is at most the sum of the weights:
    at the first true one that is rejected, no earlier true one was, so its level is at most the
    sum of the weights after the true one before it. These sums are known before the data, and over
    all true hypotheses they add up to no more than the sum of the weights. It needs nothing of how
    the p-values depend on each other.

    Reference: Wiens, Pharmaceutical Statistics 2:211 (2003).
    """
    rejected, levels = np.zeros(p_values.size, bool), np.zeros(p_values.size)
    level = 0.0
    for index, (p, weight) in enumerate(zip(p_values.tolist(), weights.tolist(), strict=True)):
        level += weight
        levels[index] = level
        rejected[index] = level > 0 and p <= level
        if not rejected[index]:
            level = 0.0
    return rejected, levels
