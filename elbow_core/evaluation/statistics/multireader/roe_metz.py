"""Simulated ratings of several readers, after Roe and Metz.

The rating of case k, of truth s (0 or 1), by reader j with modality i is

    s mu_i + R_js + (tau R)_ijs + C_ks + (tau C)_iks + (R C)_jks + E_ijks

where all terms but the first are independent normal variables of mean 0. The variances of the four
terms with cases add up to 1.

Reference: Roe and Metz, Academic Radiology 4:298 (1997), table 1 for the structures.
"""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int64
from scipy.special import ndtri


@dataclass(frozen=True, slots=True)
class RoeMetz:
    """Variances of the model; ``interaction`` is of readers and modalities."""

    reader: float
    interaction: float
    case: float
    modality_case: float
    reader_case: float
    error: float

    def separation(self, auroc: float) -> float:
        """Return mu for which a modality's expected AUROC, over readers and cases, is ``auroc``."""
        return float(ndtri(auroc)) * math.sqrt(2 * (1 + self.reader + self.interaction))


# The first letter is the correlation of the data, the second the variance of the readers, high or
# low, here that of an AUROC of 0.855.
ROE_METZ = {
    "HL": RoeMetz(0.0055, 0.0055, 0.3, 0.3, 0.2, 0.2),
    "LL": RoeMetz(0.0055, 0.0055, 0.1, 0.1, 0.2, 0.6),
    "HH": RoeMetz(0.03, 0.03, 0.3, 0.3, 0.2, 0.2),
    "LH": RoeMetz(0.03, 0.03, 0.1, 0.1, 0.2, 0.6),
}


def simulate_ratings(
    rng: np.random.Generator,
    model: RoeMetz,
    separations: Float64[np.ndarray, " modalities"],
    readers: int,
    positives: int,
    negatives: int,
    studies: int = 1,
) -> tuple[Int64[np.ndarray, " cases"], Float64[np.ndarray, "studies modalities readers cases"]]:
    """Return the truth of the cases, the same in each study, and the ratings of each study."""
    truth = np.repeat(np.array([1, 0]), [positives, negatives])
    shape = (studies, separations.size, readers, truth.size)

    def normal(variance: float, *axes: int) -> np.ndarray:
        sizes = [size if axis in axes else 1 for axis, size in enumerate(shape)]
        return math.sqrt(variance) * rng.standard_normal(sizes)

    def of_class(variance: float, *axes: int) -> np.ndarray:
        """A term of readers alone has one value for each truth."""
        return np.where(truth, normal(variance, 0, *axes), normal(variance, 0, *axes))

    ratings = separations[:, None, None] * truth
    ratings = ratings + of_class(model.reader, 2) + of_class(model.interaction, 1, 2)
    ratings = ratings + normal(model.case, 0, 3) + normal(model.modality_case, 0, 1, 3)
    ratings = ratings + normal(model.reader_case, 0, 2, 3) + normal(model.error, 0, 1, 2, 3)
    return truth, ratings
