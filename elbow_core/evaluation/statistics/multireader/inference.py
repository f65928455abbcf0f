"""Tests and intervals of a study with several readers and cases, after Obuchowski and Rockette.

Three populations may be concluded upon: ``random`` readers and cases, the study's readers alone on
random cases (``fixed_readers``), random readers on the study's cases alone (``fixed_cases``).

References: Hillis, Statistics in Medicine 26:596 (2007) for the degrees of freedom; Hillis, Berbaum
and Metz, Academic Radiology 15:647 (2008) for fixed readers and fixed cases; Hillis, Statistics in
Medicine 33:330 (2014) for the intervals of one modality.
"""

import itertools
import math
from dataclasses import dataclass
from typing import Literal

from scipy.special import chdtrc, fdtrc

from elbow_core.evaluation.statistics.differences import holm
from elbow_core.evaluation.statistics.multireader.accuracy import ReaderAccuracy
from elbow_core.evaluation.statistics.multireader.components import (
    ReaderComponents,
    reader_components,
)
from elbow_core.evaluation.statistics.multireader.distributions import t_above, t_quantile

Population = Literal["random", "fixed_readers", "fixed_cases"]
POPULATIONS: tuple[Population, ...] = ("random", "fixed_readers", "fixed_cases")

# A variance as a share of those that it is the difference of; below it there is only rounding.
NO_VARIANCE = 1e-12
ONE_MODALITY = "there is nothing to compare one modality with"
ONE_READER = "one reader says nothing about other readers"
NO_DIFFERENCE_VARIANCE = "the difference has no variance"
NO_MODALITY_VARIANCE = "the metric has no variance"


@dataclass(frozen=True, slots=True)
class Estimate:
    """A value with its standard error, degrees of freedom (inf: normal) and interval.

    The interval is Wald's and ends at the limits of the metric, which changes no coverage. Error
    and interval are nan where there are none, with the reason.
    """

    value: float
    error: float
    df: float
    low: float
    high: float
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Equality:
    """The test that all modalities are equal: F and its degrees of freedom (df2 inf: chi2)."""

    f: float
    df1: int
    df2: float
    p: float
    reason: str = ""


@dataclass(frozen=True, slots=True)
class ModalityDifference:
    """First modality minus second, by their numbers: estimate, two-sided p, and p after Holm."""

    first: int
    second: int
    estimate: Estimate
    p: float
    p_holm: float


@dataclass(frozen=True, slots=True)
class NonInferiority:
    """A modality minus the reference; p is one-sided."""

    modality: int
    reference: int
    margin: float
    estimate: Estimate
    p: float
    p_holm: float


@dataclass(frozen=True, slots=True)
class ReaderInference:
    """What a study says about one population; one modality alone has no test and no differences."""

    population: Population
    equality: Equality
    modalities: tuple[Estimate, ...]
    differences: tuple[ModalityDifference, ...]


def analyse_readers(
    accuracy: ReaderAccuracy, population: Population = "random", confidence: float = 0.95
) -> ReaderInference:
    """Analyse the accuracies of a study; intervals have the two-sided level ``confidence``.

    With one reader only ``fixed_readers`` has errors; elsewhere they are nan, with the reason.
    """
    components = reader_components(accuracy)
    means = accuracy.values.mean(axis=1)
    modalities, readers = components.modalities, components.readers
    single = []
    for number, mean in enumerate(means):
        square, df, reason = _modality_term(components, number, population)
        single.append(_estimate(float(mean), square / readers, df, reason, confidence, (0, 1)))
    if modalities == 1:
        untested = Equality(math.nan, 0, math.nan, math.nan, ONE_MODALITY)
        return ReaderInference(population, untested, tuple(single), ())
    square, df, reason = _difference_term(components, population)
    pairs = list(itertools.combinations(range(modalities), 2))
    found = [
        _estimate(float(means[i] - means[k]), 2 / readers * square, df, reason, confidence, (-1, 1))
        for i, k in pairs
    ]
    p_values = [_two_sided(estimate) for estimate in found]
    return ReaderInference(
        population,
        _equality(components.ms_modality, square, modalities - 1, df, reason),
        tuple(single),
        tuple(
            ModalityDifference(first, second, estimate, p, adjusted)
            for (first, second), estimate, p, adjusted in zip(
                pairs, found, p_values, holm(p_values), strict=True
            )
        ),
    )


def non_inferiority(
    accuracy: ReaderAccuracy,
    reference: int,
    margin: float,
    population: Population = "random",
    confidence: float = 0.95,
) -> tuple[NonInferiority, ...]:
    """Test of each modality that it is worse than the reference by ``margin`` or more.

    One-sided at (1 - confidence) / 2, so that it rejects exactly where the two-sided interval of
    modality minus reference lies above -margin. Holm's adjustment is over the modalities.
    Raises ValueError for a margin that is not above 0 and below 1.
    """
    if not 0 < margin < 1:
        raise ValueError(f"the margin {margin:g} is not above 0 and below 1")
    found = []
    for row in analyse_readers(accuracy, population, confidence).differences:
        if reference not in (row.first, row.second):
            continue
        old, flip = row.estimate, row.first == reference
        estimate = (
            Estimate(-old.value, old.error, old.df, -old.high, -old.low, old.reason)
            if flip
            else old
        )
        p = math.nan
        if not math.isnan(estimate.error):
            p = t_above((estimate.value + margin) / estimate.error, estimate.df)
        found.append((row.second if flip else row.first, estimate, p))
    adjusted = holm([p for *_, p in found])
    return tuple(
        NonInferiority(modality, reference, margin, estimate, p, p_holm)
        for (modality, estimate, p), p_holm in zip(found, adjusted, strict=True)
    )


def reader_differences(
    accuracy: ReaderAccuracy, first: int, second: int, confidence: float = 0.95
) -> tuple[tuple[Estimate, float], ...]:
    """Return each reader's first modality minus second, with its two-sided p: random cases.

    With DeLong's covariance this is DeLong's test of each reader.
    """
    found = []
    for reader, pair in enumerate(zip(*accuracy.values[[first, second]], strict=True)):
        of = accuracy.covariance[:, reader, :, reader]
        single = float(of[first, first] + of[second, second])
        variance = single - 2 * float(of[first, second])
        reason = NO_DIFFERENCE_VARIANCE if variance <= NO_VARIANCE * single else ""
        estimate = _estimate(
            float(pair[0] - pair[1]), variance, math.inf, reason, confidence, (-1, 1)
        )
        found.append((estimate, _two_sided(estimate)))
    return tuple(found)


def reader_estimates(
    accuracy: ReaderAccuracy, confidence: float = 0.95
) -> tuple[tuple[Estimate, ...], ...]:
    """Return the accuracy of each modality (outer) and reader, with its interval: random cases."""
    found = []
    for modality, values in enumerate(accuracy.values):
        row = []
        for reader, value in enumerate(values):
            variance = float(accuracy.covariance[modality, reader, modality, reader])
            reason = "" if variance > NO_VARIANCE**2 else NO_MODALITY_VARIANCE
            row.append(_estimate(float(value), variance, math.inf, reason, confidence, (0, 1)))
        found.append(tuple(row))
    return tuple(found)


def _difference_term(of: ReaderComponents, population: Population) -> tuple[float, float, str]:
    """Return the mean square in the denominator of F, its degrees of freedom, why there is none."""
    r = of.readers
    df = float((of.modalities - 1) * (r - 1))
    if population == "fixed_readers":
        shared = (r - 1) * (of.cov2 - of.cov3) if r > 1 else 0.0
        square, df = of.variance - of.cov1 + shared, math.inf
    elif r == 1:
        return math.nan, math.nan, ONE_READER
    elif population == "fixed_cases":
        square = of.ms_interaction
    else:
        square = of.ms_interaction + r * max(of.cov2 - of.cov3, 0.0)
        df = _hillis(square, of.ms_interaction, df)
    if square <= NO_VARIANCE * of.variance:
        return math.nan, math.nan, NO_DIFFERENCE_VARIANCE
    return square, df, ""


def _modality_term(
    of: ReaderComponents, number: int, population: Population
) -> tuple[float, float, str]:
    """Return r times the squared error of a modality's mean, its df, and why there is none."""
    r, single = of.readers, of.single[number]
    if population == "fixed_readers":
        shared = (r - 1) * single.cov2 if r > 1 else 0.0
        square, df = single.variance + shared, math.inf
    elif r == 1:
        return math.nan, math.nan, ONE_READER
    elif population == "fixed_cases":
        square, df = single.ms_reader, float(r - 1)
    else:
        square = single.ms_reader + r * max(single.cov2, 0.0)
        df = _hillis(square, single.ms_reader, float(r - 1))
    if square <= NO_VARIANCE**2:
        return math.nan, math.nan, NO_MODALITY_VARIANCE
    return square, df, ""


def _hillis(square: float, readers: float, df: float) -> float:
    """Return Hillis' degrees of freedom: infinite where only the cases contribute."""
    return df * (square / readers) ** 2 if readers > NO_VARIANCE * square else math.inf


def _equality(ms_modality: float, square: float, df1: int, df2: float, reason: str) -> Equality:
    if reason:
        return Equality(math.nan, df1, df2, math.nan, reason)
    ratio = ms_modality / square
    p = chdtrc(df1, ratio * df1) if math.isinf(df2) else fdtrc(df1, df2, ratio)
    return Equality(ratio, df1, df2, float(p))


def _estimate(
    value: float,
    variance: float,
    df: float,
    reason: str,
    confidence: float,
    limits: tuple[int, int],
) -> Estimate:
    if reason:
        return Estimate(value, math.nan, math.nan, math.nan, math.nan, reason)
    error = math.sqrt(variance)
    half = t_quantile((1 + confidence) / 2, df) * error
    low, high = max(value - half, float(limits[0])), min(value + half, float(limits[1]))
    return Estimate(value, error, df, low, high)


def _two_sided(estimate: Estimate) -> float:
    if math.isnan(estimate.error):
        return math.nan
    return 2 * t_above(abs(estimate.value) / estimate.error, estimate.df)
