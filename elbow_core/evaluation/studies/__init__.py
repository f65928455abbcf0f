"""The images of one study, the unit that a radiologist reports on.

`grouping` groups images by study, `joins` joins their scores to one score of the study.
"""

from elbow_core.evaluation.studies.grouping import Studies, by_study
from elbow_core.evaluation.studies.joins import (
    MEAN_OF_LOGITS,
    JoinedStudies,
    LearntJoin,
    join_studies,
)

__all__ = [
    "MEAN_OF_LOGITS",
    "JoinedStudies",
    "LearntJoin",
    "Studies",
    "by_study",
    "join_studies",
]
