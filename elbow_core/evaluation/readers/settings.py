"""What the analysis of a study is told."""

from dataclasses import dataclass

from elbow_core.evaluation.statistics.multireader import CovarianceMethod, Population, ReaderMetric


@dataclass(frozen=True, slots=True)
class PlanSettings:
    """Of a study in planning: the difference to find, and the readers and cases to look at."""

    effect: float | int
    power: float = 0.8
    readers: tuple[int, ...] = (4, 6, 8, 10, 12, 15, 20)
    cases: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class ReaderSettings:
    """Settings of an analysis.

    A reader calls a case positive where the rating is at least ``threshold``; None is for ratings
    of 0 and 1. Without ``metrics`` these are the AUROC, and sensitivity and specificity where there
    is a threshold or every rating is 0 or 1; of such decisions there is no AUROC. ``reference`` and
    ``margin`` are of the test of non-inferiority. Intervals have the two-sided level
    ``confidence``.
    """

    title: str = ""
    population: Population = "random"
    covariance: CovarianceMethod = "jackknife"
    metrics: tuple[ReaderMetric, ...] = ()
    threshold: float | None = None
    reference: str = ""
    margin: float | None = None
    confidence: float = 0.95
    plan: PlanSettings | None = None
