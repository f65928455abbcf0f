"""The folder of a label audit; a saved corrections.csv in it keeps it from being replaced."""

import re
from typing import Any

from elbow_core.evaluation.pages import OwnFolder

PAGE = "labels.html"
RANKING = "ranking.csv"
RECORD = "labels.json"
SCHEMA = 1


def _is_record(content: Any) -> bool:
    return (
        isinstance(content, dict)
        and content.get("schema") == SCHEMA
        and content.keys() >= {"predictions", "labels", "flagged", "contradicting_pairs"}
    )


AUDIT_FOLDER = OwnFolder(
    kind="a label audit",
    mark=RECORD,
    is_mark=_is_record,
    files=re.compile(rf"{re.escape(PAGE)}|{re.escape(RANKING)}"),
)
