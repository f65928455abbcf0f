"""Power and sample size of a study in planning, from the variance components of a pilot study.

The planned study compares two modalities; its readers and cases come from the pilot's populations,
its share of positive cases is the pilot's.

Reference: Hillis, Obuchowski and Berbaum, Academic Radiology 18:129 (2011).
"""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int64
from scipy.special import chdtri, chndtr, fdtri, ncfdtr, nctdtr, ndtr, ndtri, stdtrit

from elbow_core.evaluation.statistics.multireader.components import ReaderComponents
from elbow_core.evaluation.statistics.multireader.inference import Population

MAX_PLANNED_CASES = 10_000
"""The largest study that `cases_needed` looks for."""
MIN_CASES = 4


@dataclass(frozen=True, slots=True)
class Pilot:
    """What planning takes from a pilot study of ``cases`` cases.

    ``interaction`` is the variance of the interaction of readers and modalities, which more cases
    do not reduce; ``error`` is Var - Cov1 - max(Cov2 - Cov3, 0) and ``shared`` max(Cov2 - Cov3, 0),
    which fall as one over the cases.
    """

    interaction: float
    error: float
    shared: float
    cases: int


def pilot_of(components: ReaderComponents, cases: int) -> Pilot:
    """Return the pilot's components; a negative estimate of a variance counts as 0.

    Raises ValueError unless the pilot has two readers and two modalities, and a variance.
    """
    if components.readers < 2 or components.modalities < 2:
        raise ValueError("planning needs a pilot study of at least two readers and two modalities")
    shared = max(components.cov2 - components.cov3, 0.0)
    error = max(components.variance - components.cov1 - shared, 0.0)
    if error + shared <= 0:
        raise ValueError("planning needs a pilot study whose metric varies over the cases")
    interaction = components.ms_interaction - components.variance + components.cov1 + shared
    return Pilot(max(interaction, 0.0), error, shared, cases)


def power_of(
    pilot: Pilot,
    readers: int,
    cases: Int64[np.ndarray, " n"],
    difference: float | int,
    population: Population = "random",
    margin: float | None = None,
    confidence: float = 0.95,
) -> Float64[np.ndarray, " n"]:
    """Return the power for each number of cases.

    Without ``margin``: of the two-sided test of equality at 1 - confidence, where the modalities
    differ by ``difference``. With it: of the test of non-inferiority, one-sided at
    (1 - confidence) / 2, where the new modality minus the reference is ``difference``.

    Raises ValueError for fewer than two random readers, or fewer than one fixed reader, and for
    fixed cases where the readers of the pilot do not vary.
    """
    if readers < (1 if population == "fixed_readers" else 2):
        raise ValueError(f"{readers} readers are too few")
    if population == "fixed_cases" and not pilot.interaction + pilot.error > 0:
        raise ValueError(
            "planning for fixed cases needs a pilot study whose readers vary; in this one all of "
            "the variance is that of the cases"
        )
    alpha, shrink = 1 - confidence, pilot.cases / cases
    own = pilot.error * shrink
    if population == "fixed_readers":
        square, df = own + readers * pilot.shared * shrink, np.full(cases.size, math.inf)
    else:
        readers_square = pilot.interaction + own
        square = readers_square + readers * pilot.shared * shrink * (population == "random")
        # Without interaction and error of its own, only the cases contribute.
        with np.errstate(divide="ignore"):
            df = (readers - 1) * (square / readers_square) ** 2
    normal = np.isinf(df)
    finite = np.where(normal, 1.0, df)
    if margin is not None:
        shift = (difference + margin) / np.sqrt(2 * square / readers)
        few = 1 - nctdtr(finite, shift, stdtrit(finite, 1 - alpha / 2))
        many = ndtr(shift + ndtri(alpha / 2))
    elif difference:
        centre = readers * difference**2 / (2 * square)
        few = 1 - ncfdtr(1, finite, centre, fdtri(1, finite, 1 - alpha))
        many = 1 - chndtr(chdtri(1, alpha), 1, centre)
    else:
        return np.full(cases.size, alpha)
    return np.where(normal, many, few)


def cases_needed(
    pilot: Pilot,
    readers: int,
    power: float,
    difference: float | int,
    population: Population = "random",
    margin: float | None = None,
    confidence: float = 0.95,
) -> tuple[int, float] | None:
    """Return the fewest cases that give ``power``, and the power they give; see `power_of`.

    None where `MAX_PLANNED_CASES` do not give it: the readers are too few for any number of cases,
    or the difference is too small.
    """
    cases = np.arange(MIN_CASES, MAX_PLANNED_CASES + 1)
    found = power_of(pilot, readers, cases, difference, population, margin, confidence)
    enough = np.flatnonzero(found >= power)
    return (int(cases[enough[0]]), float(found[enough[0]])) if enough.size else None
