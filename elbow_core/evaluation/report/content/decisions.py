"""Metrics of one set of decisions, with their intervals: records and computation."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from elbow_core.evaluation.statistics import (
    Confusion,
    Interval,
    confusion_counts,
    confusion_metrics,
    decision_intervals,
    undefined_metrics,
)


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric with its 95 % interval, the interval's method and, for nan, the reason."""

    value: float
    low: float
    high: float
    method: str
    reason: str


Metrics = Mapping[str, Metric]


@dataclass(frozen=True, slots=True)
class Decisions:
    """A confusion matrix and the metrics that it determines."""

    confusion: Confusion
    metrics: Metrics


@dataclass(frozen=True, slots=True)
class OperatingPointSummary:
    """A threshold, its origin, and the decisions at it."""

    threshold: float
    chosen_on: str
    decisions: Decisions


def decisions(
    labels: np.ndarray, predicted: np.ndarray, clusters: np.ndarray, draws: int, seed: int
) -> Decisions:
    """Return the 2 x 2 matrix of one set of decisions and its metrics."""
    confusion = confusion_counts(labels, predicted)
    values = {name: float(value) for name, value in confusion_metrics(*confusion).items()}
    values["sensitivity"] = values["recall"]
    reasons = undefined_metrics(*confusion)
    intervals = decision_intervals(labels, predicted, clusters, draws, seed)
    return Decisions(
        confusion,
        {
            name: metric(value, intervals[name], reasons.get(name, ""))
            for name, value in values.items()
        },
    )


def metric(value: float, interval: Interval, reason: str = "") -> Metric:
    """Return a metric with its interval; ``reason`` says why the value is undefined."""
    return Metric(value, interval.low, interval.high, interval.method, reason or interval.reason)
