"""The CSV file of a predictions table: ``predictions_<split>.csv``."""

from pathlib import Path

import numpy as np

from elbow_core.errors import PredictionsError, UserError
from elbow_core.evaluation.predictions.table import UNPARSED, Predictions
from elbow_core.files import require_output_file
from elbow_core.tables import CsvTable, parse_number, read_csv_table, write_csv_table

COLUMNS = ("image_id", "patient_id", "study_id", "label", "score", "prediction", "model")

ALL = "all"
"""Instead of a split of external data: every image, whatever its split."""
EXTERNAL_PREDICTIONS, EXTERNAL_REPORT = "predictions.csv", "report"


def require_predictions_file(path: Path, option: str = "") -> None:
    """Check, before the predictions are made, that they can be written; raises `UserError`.

    An earlier predictions file may be replaced; any other file, a pipe or a device not.
    """
    require_output_file(path, option, mark=",".join(COLUMNS), regular=True)


def read_predictions(path: Path | str) -> Predictions:
    """Read one predictions file; the rows keep their order, and text every character.

    Raises `PredictionsError` with file and line for a missing file or column, an unknown column, a
    row of the wrong width, an invalid value, a repeated ``image_id`` or a second model name, and as
    `elbow_core.tables.read_csv_table` does. Labels and predictions are ``0`` or ``1`` alone.
    """
    table = read_csv_table(Path(path), PredictionsError, _check_columns)
    if not table.rows:
        raise PredictionsError(f"{path}: no predictions below the header")
    return _from_table(table)


def write_predictions(path: Path | str, predictions: Predictions) -> None:
    """Write one predictions file atomically; scores keep every digit, and text every character.

    A null byte of a generated answer becomes U+FFFD, since NumPy drops it at the end of a text.
    Raises `PredictionsError` if the file cannot be written, or another text holds a null byte.
    """
    path = Path(path)
    header = [*COLUMNS, *(["answer"] if predictions.answer is not None else [])]
    columns = [
        predictions.image_id.tolist(),
        predictions.patient_id.tolist(),
        predictions.study_id.tolist(),
        predictions.label.tolist(),
        predictions.score.tolist(),
        ["" if value == UNPARSED else value for value in predictions.prediction.tolist()],
        [predictions.model] * len(predictions),
    ]
    for name, column in zip(header, columns, strict=False):
        if any("\0" in str(value) for value in column):
            raise PredictionsError(f"{path}: cannot be written: {name} contains a null byte")
    if predictions.answer is not None:
        columns.append([text.replace("\0", "\ufffd") for text in predictions.answer.tolist()])
    try:
        write_csv_table(path, header, zip(*columns, strict=True))
    except OSError as error:
        raise PredictionsError(f"{path}: cannot be written: {error}") from None
    except UserError as error:
        raise PredictionsError(str(error)) from error


def _check_columns(columns: tuple[str, ...], place: str) -> None:
    expected = f"the header must be {','.join(COLUMNS)}[,answer]"
    if missing := [name for name in COLUMNS if name not in columns]:
        raise PredictionsError(f"{place}: no column {', '.join(missing)}; {expected}")
    if unknown := [name or "''" for name in columns if name not in (*COLUMNS, "answer")]:
        raise PredictionsError(f"{place}: unknown column {', '.join(unknown)}; {expected}")


def _from_table(table: CsvTable) -> Predictions:
    model = table.rows[0].cells["model"]
    unparsed = ("",) if "answer" in table.columns else ()
    scores = []
    for row in table.rows:
        place, cells = table.place(row), row.cells
        if cells["model"] != model:
            raise PredictionsError(
                f"{place}: model {cells['model']!r} after {model!r}; write one file per model"
            )
        if cells["label"] not in ("0", "1"):
            raise PredictionsError(f"{place}: label {cells['label']!r} is not 0 or 1")
        if cells["prediction"] not in ("0", "1", *unparsed):
            raise PredictionsError(f"{place}: prediction {cells['prediction']!r} is not 0 or 1")
        try:
            scores.append(parse_number(cells["score"], 0, 1))
        except ValueError as error:
            raise PredictionsError(f"{place}: score {error}") from error

    def column(name: str) -> list[str]:
        return [row.cells[name] for row in table.rows]

    return Predictions(
        image_id=np.array(column("image_id")),
        patient_id=np.array(column("patient_id")),
        study_id=np.array(column("study_id")),
        label=np.array(column("label")).astype(np.int64),
        score=np.array(scores),
        prediction=np.array([int(value or UNPARSED) for value in column("prediction")], np.int64),
        model=model,
        answer=np.array(column("answer")) if "answer" in table.columns else None,
        path=str(table.path),
        lines=np.array([row.line for row in table.rows], np.int64),
    )
