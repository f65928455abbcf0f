"""Texts that stand in the objects, in ASCII."""

from reading_room.inference import Answer, Finding

MANUFACTURER = "elbow-radiographs"
"""Of the equipment that makes the objects, in all of them."""
MODEL_NAME = "reading_room"
NOT_A_DEVICE = (
    "Research software, not a medical device: not cleared for clinical use, and not to be used to "
    "diagnose or treat anyone."
)
SHORT_NOT_A_DEVICE = "NOT A MEDICAL DEVICE - RESEARCH ONLY"
SCORE_MEANING = (
    "The score is the network's output for injury, from 0 to 1. It is not calibrated: 0.9 does not "
    "mean that 9 of 10 such patients are injured."
)
HEAT_MEANING = (
    "The heat map shows what raised the score. It is no outline of an injury and no proof that the "
    "score is right."
)

_ANSWERS: dict[Answer, str] = {
    "present": "injury present",
    "absent": "no injury found",
    "undetermined": "undetermined: left to the reader",
}


def headline(finding: Finding) -> str:
    """Return the answer and the score in one line."""
    return f"{_ANSWERS[finding.answer]} (score {finding.score:.3f})"


def gate_warning(finding: Finding) -> str:
    """Return a line for an image that the input gate flags; else an empty text."""
    return "UNLIKE THE TRAINING IMAGES: the score may mean nothing" if finding.is_unlike else ""
