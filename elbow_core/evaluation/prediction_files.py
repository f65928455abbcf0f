"""The CSV file of a predictions table: ``predictions_<split>.csv``."""

import csv
import io
import math
import re
from pathlib import Path

import numpy as np

from elbow_core.errors import PredictionsError
from elbow_core.evaluation.predictions import UNPARSED, Predictions
from elbow_core.files import atomic_file

COLUMNS = ("image_id", "patient_id", "study_id", "label", "score", "prediction", "model")
NUMBER = re.compile(r"[-+0-9.eE]+")


def read_predictions(path: Path | str) -> Predictions:
    """Read one predictions file; the rows keep their order.

    Raises `PredictionsError` with file and line for a missing file or column, an unknown column, a
    row of the wrong width, an invalid value, a repeated ``image_id`` or a second model name.
    """
    path = Path(path)
    try:
        # utf-8-sig: spreadsheets write a byte-order mark before the first column name.
        with path.open(encoding="utf-8-sig", newline="") as file:
            text = file.read()
    except (OSError, UnicodeDecodeError) as error:
        raise PredictionsError(f"{path}: cannot be read as UTF-8 text: {error}") from None
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    rows: list[list[str]] = []
    lines: list[int] = []
    try:
        header = next(reader, [])
        _check_header(path, header)
        for row in reader:
            if not row:  # an empty line, as an editor may leave at the end
                continue
            if len(row) != len(header):
                raise PredictionsError(
                    f"{path}:{reader.line_num}: {len(row)} values under {len(header)} columns"
                )
            rows.append(row)
            lines.append(reader.line_num)
    except csv.Error as error:
        raise PredictionsError(f"{path}:{reader.line_num}: {error}") from None
    if not rows:
        raise PredictionsError(f"{path}: no predictions below the header")
    columns = dict(zip(header, zip(*rows, strict=True), strict=True))
    return _from_text(path, columns, lines)


def write_predictions(path: Path | str, predictions: Predictions) -> None:
    """Write one predictions file atomically; scores keep every digit.

    Raises `PredictionsError` if the file cannot be written.
    """
    path = Path(path)
    header = [*COLUMNS, *(["answer"] if predictions.answer is not None else [])]
    columns = [
        predictions.image_id.tolist(),
        predictions.patient_id.tolist(),
        predictions.study_id.tolist(),
        predictions.label.tolist(),
        [repr(score) for score in predictions.score.tolist()],
        ["" if value == UNPARSED else value for value in predictions.prediction.tolist()],
        [predictions.model] * len(predictions),
    ]
    if predictions.answer is not None:
        columns.append(predictions.answer.tolist())
    try:
        with (
            atomic_file(path) as partial,
            partial.open("w", encoding="utf-8", newline="") as file,
        ):
            plain = csv.writer(file, lineterminator="\n")
            # Before Python 3.13 csv does not quote a lone carriage return, which would end the row.
            quoted = csv.writer(file, lineterminator="\n", quoting=csv.QUOTE_ALL)
            plain.writerow(header)
            for row in zip(*columns, strict=True):
                (quoted if "\r" in "".join(map(str, row)) else plain).writerow(row)
    except OSError as error:
        raise PredictionsError(f"{path}: cannot be written: {error}") from None


def _check_header(path: Path, header: list[str]) -> None:
    missing = [name for name in COLUMNS if name not in header]
    if missing:
        raise PredictionsError(
            f"{path}:1: no column {', '.join(missing)}; the header must be "
            f"{','.join(COLUMNS)}[,answer]"
        )
    unknown = [name for name in header if name not in (*COLUMNS, "answer")]
    if unknown or len(set(header)) != len(header):
        raise PredictionsError(
            f"{path}:1: unknown or repeated column {', '.join(unknown) or header}; the header "
            f"must be {','.join(COLUMNS)}[,answer]"
        )


def _from_text(path: Path, columns: dict[str, tuple[str, ...]], lines: list[int]) -> Predictions:
    for line, model in zip(lines, columns["model"], strict=True):
        if model != columns["model"][0]:
            raise PredictionsError(
                f"{path}:{line}: model {model!r} after {columns['model'][0]!r}; "
                "write one file per model"
            )
    for line, label in zip(lines, columns["label"], strict=True):
        if label not in ("0", "1"):
            raise PredictionsError(f"{path}:{line}: label {label!r} is not 0 or 1")
    unparsed = ("",) if "answer" in columns else ()
    for line, prediction in zip(lines, columns["prediction"], strict=True):
        if prediction not in ("0", "1", *unparsed):
            raise PredictionsError(f"{path}:{line}: prediction {prediction!r} is not 0 or 1")
    answer = columns.get("answer")
    return Predictions(
        image_id=np.array(columns["image_id"]),
        patient_id=np.array(columns["patient_id"]),
        study_id=np.array(columns["study_id"]),
        label=np.array(columns["label"]).astype(np.int64),
        score=np.array(
            [_score(path, line, text) for line, text in zip(lines, columns["score"], strict=True)]
        ),
        prediction=np.array([int(value or UNPARSED) for value in columns["prediction"]], np.int64),
        model=columns["model"][0],
        answer=None if answer is None else np.array(answer),
        path=str(path),
        lines=np.array(lines, np.int64),
    )


def _score(path: Path, line: int, text: str) -> float:
    try:
        # float() also accepts "0_1" and " 1", which no program writes for a score.
        score = float(text) if NUMBER.fullmatch(text) else math.nan
    except ValueError:
        score = math.nan
    if not 0 <= score <= 1:
        raise PredictionsError(f"{path}:{line}: score {text!r} is not a number from 0 to 1")
    return score
