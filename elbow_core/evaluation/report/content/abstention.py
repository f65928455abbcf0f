"""Answers at frozen thresholds: how many are given and right, how many are left to the reader."""

import numpy as np
from jaxtyping import Bool, Int64

from elbow_core.evaluation.abstention import AbstentionRecord
from elbow_core.evaluation.predictions import Predictions
from elbow_core.evaluation.report.content.decisions import Metric
from elbow_core.evaluation.report.content.structure import AbstentionSummary, AnswerShare
from elbow_core.evaluation.statistics import clusters_of, proportion_interval
from elbow_core.evaluation.statistics.abstention import LEFT, patient_weights

NONE_CALLED = ("no image is called normal", "no image is called injured")


def abstention_summary(predictions: Predictions, record: AbstentionRecord) -> AbstentionSummary:
    """Return the realised shares of a model's three answers, with the record's unit.

    Shares count every patient once or every image once, as the promise does; intervals are
    Wilson's on the effective number of images.
    """
    given = record.answers(predictions.score)
    clusters = clusters_of(predictions.patient_id)
    weights = patient_weights(clusters) if record.most_images is None else np.ones(len(predictions))

    def share(success: Bool[np.ndarray, " n"], of: Bool[np.ndarray, " n"], reason: str) -> Metric:
        interval = proportion_interval(success[of], clusters[of], reason, weights[of])
        value = float(np.average(success[of], weights=weights[of])) if of.any() else float("nan")
        return Metric(value, interval.low, interval.high, interval.method, interval.reason)

    def answer(called: int, wanted: float, given: Int64[np.ndarray, " n"]) -> AnswerShare:
        of, wrong = given == called, predictions.label != called
        return AnswerShare(
            images=int(of.sum()),
            wrong=int((of & wrong).sum()),
            wanted=wanted,
            share=share(wrong, of, NONE_CALLED[called]),
        )

    return AbstentionSummary(
        unit=record.unit,
        confidence=record.confidence,
        normal_below=None if record.normal is None else record.normal.threshold,
        injury_from=None if record.injury is None else record.injury.threshold,
        normal=answer(0, record.most_missed, given),
        injury=answer(1, record.most_false_alarms, given),
        left=int((given == LEFT).sum()),
        left_share=share(given == LEFT, np.ones(len(predictions), bool), ""),
    )
