"""All numbers of a study's report."""

import itertools
from dataclasses import dataclass

from elbow_core.errors import ReaderStudyError
from elbow_core.evaluation.readers.notes import notes_on
from elbow_core.evaluation.readers.plan import MetricPlan, plan_of
from elbow_core.evaluation.readers.settings import ReaderSettings
from elbow_core.evaluation.readers.study import ReaderStudy
from elbow_core.evaluation.statistics.multireader import (
    POPULATIONS,
    Estimate,
    NonInferiority,
    Population,
    ReaderAccuracy,
    ReaderComponents,
    ReaderInference,
    ReaderMetric,
    analyse_readers,
    non_inferiority,
    reader_auroc,
    reader_components,
    reader_differences,
    reader_estimates,
    reader_sensitivity,
    reader_specificity,
)
from elbow_core.identity import normalise_id


@dataclass(frozen=True, slots=True)
class MetricAnalysis:
    """One metric: by population, by reader, and the plan where one was asked for.

    ``reader_estimates`` is by modality and reader; ``reader_differences`` by the numbers of two
    modalities, first minus second, each reader's with its p.
    """

    accuracy: ReaderAccuracy
    components: ReaderComponents
    inferences: dict[Population, ReaderInference]
    reader_estimates: tuple[tuple[Estimate, ...], ...]
    reader_differences: dict[tuple[int, int], tuple[tuple[Estimate, float], ...]]
    non_inferiority: tuple[NonInferiority, ...]
    plan: MetricPlan | None


@dataclass(frozen=True, slots=True)
class StudyAnalysis:
    """The analysis of a study, by metric."""

    study: ReaderStudy
    settings: ReaderSettings
    threshold: float | None
    notes: tuple[str, ...]
    metrics: dict[ReaderMetric, MetricAnalysis]


def analyse(study: ReaderStudy, settings: ReaderSettings) -> StudyAnalysis:
    """Analyse a study; raises `ReaderStudyError` for settings that do not fit it."""
    if len(study.readers) == 1 and settings.population != "fixed_readers":
        raise ReaderStudyError(
            f"{study.place}: has one reader, {study.readers[0]!r}, who says nothing about other "
            "readers; with --population fixed-readers the analysis is of this reader alone"
        )
    threshold = 0.5 if settings.threshold is None and study.binary else settings.threshold
    metrics = settings.metrics or _metrics(study, threshold)
    reference = _reference(study, settings)
    found = {}
    for metric in metrics:
        accuracy = _accuracy(study, metric, settings, threshold)
        components = reader_components(accuracy)
        found[metric] = MetricAnalysis(
            accuracy,
            components,
            {of: analyse_readers(accuracy, of, settings.confidence) for of in POPULATIONS},
            reader_estimates(accuracy, settings.confidence),
            {
                pair: reader_differences(accuracy, *pair, settings.confidence)
                for pair in itertools.combinations(range(len(study.modalities)), 2)
            },
            ()
            if settings.margin is None
            else non_inferiority(
                accuracy, reference, settings.margin, settings.population, settings.confidence
            ),
            None if settings.plan is None else plan_of(study, accuracy, components, settings),
        )
    accuracies = {metric: of.accuracy for metric, of in found.items()}
    notes = notes_on(study, accuracies, settings.population)
    return StudyAnalysis(study, settings, threshold, notes, found)


def _metrics(study: ReaderStudy, threshold: float | None) -> tuple[ReaderMetric, ...]:
    if study.binary:
        return ("sensitivity", "specificity")
    return ("auroc",) if threshold is None else ("auroc", "sensitivity", "specificity")


def _reference(study: ReaderStudy, settings: ReaderSettings) -> int:
    """Return the number of the reference; 0, which nothing uses, without a margin."""
    if settings.margin is None:
        return 0
    if len(study.modalities) == 1:
        raise ReaderStudyError(
            f"{study.place}: has one modality, {study.modalities[0]!r}; non-inferiority is that of "
            "a second one"
        )
    keys = [normalise_id(name) for name in study.modalities]
    if normalise_id(settings.reference) not in keys:
        raise ReaderStudyError(
            f"{study.place}: the reference {settings.reference!r} is no modality; they are "
            f"{', '.join(map(repr, study.modalities))}"
        )
    return keys.index(normalise_id(settings.reference))


def _accuracy(
    study: ReaderStudy, metric: ReaderMetric, settings: ReaderSettings, threshold: float | None
) -> ReaderAccuracy:
    if metric == "auroc":
        return reader_auroc(study.truth, study.ratings, settings.covariance)
    if threshold is None:
        raise ReaderStudyError(
            f"{study.place}: {metric} needs decisions, and not every rating is 0 or 1; give the "
            "rating from which a case counts as called positive with --threshold"
        )
    of = reader_sensitivity if metric == "sensitivity" else reader_specificity
    return of(study.truth, study.ratings >= threshold)
