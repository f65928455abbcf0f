"""Comparison of every pair of models on the same images."""

import itertools
from collections.abc import Sequence

import numpy as np

from elbow_core.evaluation.predictions import Predictions
from elbow_core.evaluation.report.content.structure import Comparison
from elbow_core.evaluation.statistics import clusters_of
from elbow_core.evaluation.statistics.differences import Difference, delong, holm, mcnemar

METRICS = ("auroc", "accuracy", "sensitivity", "specificity")


def compare_models(
    predictions: Sequence[Predictions], thresholds: Sequence[float]
) -> list[Comparison]:
    """Compare every pair by AUROC and by decisions; p is adjusted over the pairs of one metric."""
    # In this order a further model appends its pairs.
    pairs = [(first, second) for second in range(len(predictions)) for first in range(second)]
    found = [
        _differences(
            [predictions[first], predictions[second]], [thresholds[first], thresholds[second]]
        )
        for first, second in pairs
    ]
    adjusted = {
        metric: holm([differences[metric].p for differences in found]) for metric in METRICS
    }
    return [
        Comparison(
            predictions[first].model,
            predictions[second].model,
            metric,
            found[number][metric],
            adjusted[metric][number],
        )
        for (number, (first, second)), metric in itertools.product(enumerate(pairs), METRICS)
    ]


def _differences(pair: Sequence[Predictions], thresholds: Sequence[float]) -> dict[str, Difference]:
    labels, clusters = pair[0].label, clusters_of(pair[0].patient_id)
    positive = labels == 1
    right = [
        (model.score >= threshold) == positive
        for model, threshold in zip(pair, thresholds, strict=True)
    ]
    found = {"auroc": delong(labels, pair[0].score, pair[1].score, clusters)}
    for metric, of in (
        ("accuracy", np.ones_like(positive)),
        ("sensitivity", positive),
        ("specificity", ~positive),
    ):
        found[metric] = mcnemar(right[0][of], right[1][of], clusters[of])
    return found
