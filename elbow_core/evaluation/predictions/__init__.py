"""The predictions table, one model's score of each image, and its CSV file.

`table` has the table and checks it, `files` reads and writes ``predictions_<split>.csv``.
"""

from elbow_core.evaluation.predictions.files import (
    ALL,
    EXTERNAL_PREDICTIONS,
    EXTERNAL_REPORT,
    read_predictions,
    require_predictions_file,
    write_predictions,
)
from elbow_core.evaluation.predictions.table import UNPARSED, Predictions, predictions_of_rows

__all__ = [
    "ALL",
    "EXTERNAL_PREDICTIONS",
    "EXTERNAL_REPORT",
    "UNPARSED",
    "Predictions",
    "predictions_of_rows",
    "read_predictions",
    "require_predictions_file",
    "write_predictions",
]
