"""Convert a table of scores from any system to a predictions file.

    python -m elbow_core.evaluation.import_scores SCORES.csv --image-id file --label truth \\
        --score probability --patient-id patient --model NAME --out predictions.csv
"""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from elbow_core.cli import run
from elbow_core.errors import PredictionsError
from elbow_core.evaluation.predictions import (
    Predictions,
    require_predictions_file,
    write_predictions,
)
from elbow_core.evaluation.statistics import DEFAULT_THRESHOLD, NONE_INJURED
from elbow_core.tables import parse_number, read_csv_table


def read_scores(
    path: Path, columns: Mapping[str, str], labels: Mapping[str, int], model: str, threshold: float
) -> Predictions:
    """Read predictions from a table with other column names and labels.

    ``columns`` maps ``image_id``, ``label``, ``score`` and optionally ``patient_id`` and
    ``study_id`` to the table's columns; ``labels`` maps its labels, character by character, to 0
    and 1. Ids keep every character. Raises `PredictionsError` with file and line, as
    `elbow_core.tables.read_csv_table` does and for a label or score that is none.
    """

    def check_columns(present: tuple[str, ...], place: str) -> None:
        if missing := [name for name in columns.values() if not name or name not in present]:
            raise PredictionsError(
                f"{place}: no column {', '.join(map(repr, missing))}; the columns are "
                f"{', '.join(map(repr, present))}"
            )

    table = read_csv_table(path, PredictionsError, check_columns)
    if not table.rows:
        raise PredictionsError(f"{path}: no rows below the header")
    scores = []
    for row in table.rows:
        label = row.cells[columns["label"]]
        if label not in labels:
            raise PredictionsError(
                f"{table.place(row)}: label {label!r} is not one of "
                f"{', '.join(map(repr, labels))}; name the labels with --injury and --normal"
            )
        try:
            scores.append(parse_number(row.cells[columns["score"]]))
        except ValueError as error:
            raise PredictionsError(f"{table.place(row)}: score {error}") from error
    found = {name: [row.cells[column] for row in table.rows] for name, column in columns.items()}
    score = np.array(scores, np.float64)
    unknown = [""] * len(table.rows)
    return Predictions(
        image_id=np.array(found["image_id"]),
        patient_id=np.array(found.get("patient_id", unknown)),
        study_id=np.array(found.get("study_id", unknown)),
        label=np.array([labels[label] for label in found["label"]], np.int64),
        score=score,
        prediction=(score >= threshold).astype(np.int64),
        model=model,
        path=str(path),
        lines=np.array([row.line for row in table.rows], np.int64),
    )


def main(arguments: Sequence[str]) -> int:
    """Command line; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m elbow_core.evaluation.import_scores",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("scores", type=Path, metavar="SCORES.csv")
    parser.add_argument("--image-id", required=True, metavar="COLUMN")
    parser.add_argument("--label", required=True, metavar="COLUMN")
    parser.add_argument("--score", required=True, metavar="COLUMN", help="P(injury), 0 to 1")
    parser.add_argument("--patient-id", metavar="COLUMN", help="default: images are independent")
    parser.add_argument("--study-id", metavar="COLUMN")
    parser.add_argument(
        "--injury", default="1", metavar="LABEL", help="label of injury in the table"
    )
    parser.add_argument(
        "--normal", default="0", metavar="LABEL", help="label of normal in the table"
    )
    parser.add_argument("--model", required=True, metavar="NAME", help="model name in the report")
    parser.add_argument("--threshold", default=str(DEFAULT_THRESHOLD), help="0 to 1")
    parser.add_argument("--out", type=Path, required=True, metavar="PREDICTIONS.csv")
    options = parser.parse_args(arguments)
    if options.injury == options.normal:
        parser.error(f"--injury and --normal are both {options.injury!r}")
    try:
        threshold = parse_number(options.threshold, 0, NONE_INJURED)
    except ValueError as error:
        parser.error(f"--threshold: {error}")
    require_predictions_file(options.out, "--out")
    columns = {
        name: getattr(options, name)
        for name in ("image_id", "label", "score", "patient_id", "study_id")
    }
    predictions = read_scores(
        options.scores,
        {name: column for name, column in columns.items() if column is not None},
        {options.normal: 0, options.injury: 1},
        options.model,
        threshold,
    )
    write_predictions(options.out, predictions)
    print(options.out)
    return 0


if __name__ == "__main__":
    run(main)
