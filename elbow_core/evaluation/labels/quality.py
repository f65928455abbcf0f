"""How likely each label is right, from the scores of a network that has not learnt from it."""

import numpy as np
from jaxtyping import Bool, Float64

from elbow_core.errors import UserError
from elbow_core.evaluation.statistics import Labels


def label_quality(labels: Labels, scores: Float64[np.ndarray, " n"]) -> Float64[np.ndarray, " n"]:
    """Return the quality of each label, 0 to 1; the least are the most doubtful.

    ``labels`` are 0 normal, 1 injury, and both must occur; ``scores`` are P(injury), of networks
    that have not learnt from the image. The quality is the self-confidence, the probability of
    the label, less the mean self-confidence of its class, scaled to 0 to 1: a score of 0.6 is more
    doubtful for an injury where other injuries have 0.95 than where they have 0.7. With two classes
    the normalised margin has the same order as the self-confidence.

    Raises `ValueError` if a class is missing, `UserError` without cleanlab.

    Reference: Northcutt, Jiang and Chuang, "Confident learning", JAIR 70 (2021); Kuan and Mueller,
    "Model-agnostic label quality scoring" (2022); cleanlab, ``rank.get_label_quality_scores``.
    """
    _check_classes(labels)
    _require_cleanlab()
    from cleanlab.rank import get_label_quality_scores  # takes seconds

    quality = get_label_quality_scores(
        labels, _probabilities(scores), method="self_confidence", adjust_pred_probs=True
    )
    return np.asarray(quality, np.float64)


def flag_labels(labels: Labels, scores: Float64[np.ndarray, " n"]) -> Bool[np.ndarray, " n"]:
    """Return the labels that confident learning calls wrong: an estimate of how many there are.

    As many labels of each class are flagged as the joint distribution of given and true labels,
    estimated from the scores, says are wrong; arguments and exceptions as of `label_quality`.

    Reference: as there; cleanlab, ``filter.find_label_issues``, prune by noise rate.
    """
    _check_classes(labels)
    _require_cleanlab()
    from cleanlab.filter import find_label_issues

    flagged = find_label_issues(
        labels, _probabilities(scores), filter_by="prune_by_noise_rate", n_jobs=1
    )
    return np.asarray(flagged, bool)


def _check_classes(labels: Labels) -> None:
    if np.unique(labels).size < 2:
        raise ValueError("all labels are the same; a ranking needs normal and injured images")


def _probabilities(scores: Float64[np.ndarray, " n"]) -> Float64[np.ndarray, "n 2"]:
    return np.stack([1 - scores, scores], axis=1)


def _require_cleanlab() -> None:
    try:
        import cleanlab  # noqa: F401
    except ModuleNotFoundError as error:
        raise UserError(
            "a label audit needs cleanlab; pip install 'elbow-radiographs[labels]'"
        ) from error
