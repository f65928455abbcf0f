"""Convert a table of scores from any system to a predictions file.

    python -m elbow_core.evaluation.import_scores SCORES.csv --image-id file --label truth \\
        --score probability --patient-id patient --model NAME --out predictions.csv
"""

import argparse
import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from elbow_core.cli import run
from elbow_core.errors import PredictionsError
from elbow_core.evaluation.prediction_files import write_predictions
from elbow_core.evaluation.predictions import Predictions
from elbow_core.evaluation.statistics import DEFAULT_THRESHOLD


def read_scores(
    path: Path, columns: Mapping[str, str], labels: Mapping[str, int], model: str, threshold: float
) -> Predictions:
    """Read predictions from a table with other column names and labels.

    ``columns`` maps ``image_id``, ``label``, ``score`` and optionally ``patient_id`` and
    ``study_id`` to the table's columns; ``labels`` maps its labels to 0 and 1. Raises
    `PredictionsError` with file and line.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, strict=True)
            missing = [name for name in columns.values() if name not in (reader.fieldnames or [])]
            if missing:
                raise PredictionsError(
                    f"{path}:1: no column {', '.join(map(repr, missing))}; the columns are "
                    f"{', '.join(map(repr, reader.fieldnames or []))}"
                )
            rows = [(reader.line_num, row) for row in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise PredictionsError(f"{path}: cannot be read as CSV: {error}") from None
    if not rows:
        raise PredictionsError(f"{path}: no rows below the header")
    for line, row in rows:
        if None in row or None in row.values():
            raise PredictionsError(f"{path}:{line}: more or fewer values than columns")
        if row[columns["label"]] not in labels:
            raise PredictionsError(
                f"{path}:{line}: label {row[columns['label']]!r} is not one of "
                f"{', '.join(map(repr, labels))}; name the labels with --injury and --normal"
            )
        try:
            float(row[columns["score"]])
        except ValueError:
            raise PredictionsError(
                f"{path}:{line}: score {row[columns['score']]!r} is not a number"
            ) from None
    table = {name: [row[column] for _, row in rows] for name, column in columns.items()}
    score = np.array(table["score"], np.float64)
    unknown = [""] * len(rows)
    return Predictions(
        image_id=np.array(table["image_id"]),
        patient_id=np.array(table.get("patient_id", unknown)),
        study_id=np.array(table.get("study_id", unknown)),
        label=np.array([labels[label] for label in table["label"]], np.int64),
        score=score,
        prediction=(score >= threshold).astype(np.int64),
        model=model,
        path=str(path),
        lines=np.array([line for line, _ in rows], np.int64),
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
    parser.add_argument("--threshold", type=float, default=DEFAULT_THRESHOLD)
    parser.add_argument("--out", type=Path, required=True, metavar="PREDICTIONS.csv")
    options = parser.parse_args(arguments)
    if options.injury == options.normal:
        parser.error(f"--injury and --normal are both {options.injury!r}")
    columns = {
        name: getattr(options, name)
        for name in ("image_id", "label", "score", "patient_id", "study_id")
    }
    predictions = read_scores(
        options.scores,
        {name: column for name, column in columns.items() if column is not None},
        {options.normal: 0, options.injury: 1},
        options.model,
        options.threshold,
    )
    write_predictions(options.out, predictions)
    print(options.out)
    return 0


if __name__ == "__main__":
    run(main)
