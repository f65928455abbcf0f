"""Images left to the reader: two thresholds whose shares of wrong answers a test keeps.

`choose_abstention` chooses them on a validation set by the tests over patients in `share_tests`.
"""

from elbow_core.evaluation.statistics.abstention.choice import (
    LEFT,
    Abstention,
    CertifiedThreshold,
    answers,
    choose_abstention,
    first_level,
    patient_weights,
)

__all__ = [
    "LEFT",
    "Abstention",
    "CertifiedThreshold",
    "answers",
    "choose_abstention",
    "first_level",
    "patient_weights",
]
