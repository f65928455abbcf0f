"""The corrected resampled t-test: differences of two recipes over folds that share their data."""

import math

import numpy as np
from jaxtyping import Float
from scipy.stats import t as student

from elbow_core.evaluation.statistics.differences.comparison import Difference


def corrected_resampled_t(
    differences: Float[np.ndarray, " folds"], test_to_train: float
) -> Difference:
    """Test the mean difference over the folds of one or several cross-validations.

    Args:
        differences: first recipe minus second, of one metric on the same test set of each fold.
        test_to_train: images of a test set over those that its networks learnt from.

    The folds' training sets overlap, so that the ordinary t-test finds differences where there are
    none. The variance of the mean is taken as (1 / folds + test_to_train) times the sample variance
    of the differences, with folds - 1 degrees of freedom; for repeated cross-validation the folds
    of all repeats are given together. Interval (95 %) and p are nan, with the reason, below two
    folds and where no difference varies.

    References: Nadeau and Bengio, Machine Learning 52:239 (2003); Bouckaert and Frank, PAKDD
    (2004), for repeated cross-validation; Bengio and Grandvalet, JMLR 5:1089 (2004): no unbiased
    estimate of this variance exists.
    """
    test = "corrected resampled t"
    count = differences.size
    mean = float(differences.mean()) if count else math.nan
    if count < 2 or np.isnan(differences).any():
        reason = "fewer than two folds" if count < 2 else "the metric is undefined in a fold"
        return Difference(mean, math.nan, math.nan, math.nan, test, reason)
    deviation = float(differences.std(ddof=1))
    if deviation < 1e-12:
        return Difference(mean, math.nan, math.nan, math.nan, test, "the folds do not differ")
    error = math.sqrt(1 / count + test_to_train) * deviation
    half = float(student.ppf(0.975, count - 1)) * error
    p = 2 * float(student.sf(abs(mean) / error, count - 1))
    return Difference(mean, mean - half, mean + half, p, test)
