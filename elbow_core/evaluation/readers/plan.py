"""The readers and cases that a study in planning needs, with this study as its pilot."""

from dataclasses import dataclass

import numpy as np

from elbow_core.errors import ReaderStudyError
from elbow_core.evaluation.readers.settings import PlanSettings, ReaderSettings
from elbow_core.evaluation.readers.study import ReaderStudy
from elbow_core.evaluation.statistics.multireader import (
    Pilot,
    Population,
    ReaderAccuracy,
    ReaderComponents,
    cases_needed,
    pilot_of,
    power_of,
)


@dataclass(frozen=True, slots=True)
class PlannedStudy:
    """Readers, cases and power; ``cases`` is None where no study of that many readers will do.

    ``cases`` counts those that the metric is of, ``positives`` the positive ones among them.
    """

    readers: int
    cases: int | None
    positives: int
    power: float


@dataclass(frozen=True, slots=True)
class MetricPlan:
    """The pilot's components, the studies with the wanted power, and those that were asked for."""

    pilot: Pilot
    needed: tuple[PlannedStudy, ...]
    asked: tuple[PlannedStudy, ...]


def plan_of(
    study: ReaderStudy,
    accuracy: ReaderAccuracy,
    components: ReaderComponents,
    settings: ReaderSettings,
) -> MetricPlan:
    """Plan a study; raises `ReaderStudyError` where this study cannot be its pilot."""
    plan = settings.plan
    if plan is None:
        raise ValueError("no plan is asked for")
    share = {"auroc": float(study.truth.mean()), "sensitivity": 1.0, "specificity": 0.0}
    positive = share[accuracy.metric]
    how = (settings.population, settings.margin, settings.confidence)
    try:
        pilot = pilot_of(components, accuracy.cases)
        needed, asked = _planned(pilot, plan, positive, *how)
    except ValueError as error:
        raise ReaderStudyError(f"{study.place}: {error}") from error
    return MetricPlan(pilot, tuple(needed), tuple(asked))


def _planned(
    pilot: Pilot,
    plan: PlanSettings,
    positive: float,
    population: Population,
    margin: float | None,
    confidence: float,
) -> tuple[list[PlannedStudy], list[PlannedStudy]]:
    """Return the studies with the wanted power and those that were asked for."""
    how = (plan.effect, population, margin, confidence)
    needed, asked = [], []
    for readers in plan.readers:
        found = cases_needed(pilot, readers, plan.power, *how)
        cases, power = found or (None, np.nan)
        needed.append(PlannedStudy(readers, cases, round(positive * (cases or 0)), power))
        powers = power_of(pilot, readers, np.array(plan.cases, np.int64), *how)
        asked += [
            PlannedStudy(readers, cases, round(positive * cases), float(power))
            for cases, power in zip(plan.cases, powers, strict=True)
        ]
    return needed, asked
