"""The table that every model writes and every report reads: one scored image a row."""

import csv
import io
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float64, Int64, Shaped

from elbow_core.dataset import ManifestRow
from elbow_core.errors import PredictionsError
from elbow_core.files import atomic_file

COLUMNS = ("image_id", "patient_id", "study_id", "label", "score", "prediction", "model")
UNPARSED = -1
NUMBER = re.compile(r"[-+0-9.eE]+")


@dataclass(frozen=True, slots=True, eq=False)
class Predictions:
    """One model's scores over one set of images, row by row.

    ``label`` is 0 normal, 1 injury; ``score`` is P(injury) in 0..1; ``prediction`` is 0, 1 or
    `UNPARSED` (-1, an empty cell in the file) for a generated ``answer`` that names neither class.
    An empty ``patient_id`` or ``study_id`` means unknown. ``path`` and ``lines`` say where each row
    was read, for messages; they are empty for predictions that were not read from a file.

    Raises `PredictionsError` if the columns differ in length, an id is empty or repeated, or a
    value is outside its range.
    """

    image_id: Shaped[np.ndarray, " images"]
    patient_id: Shaped[np.ndarray, " images"]
    study_id: Shaped[np.ndarray, " images"]
    label: Int64[np.ndarray, " images"]
    score: Float64[np.ndarray, " images"]
    prediction: Int64[np.ndarray, " images"]
    model: str
    answer: Shaped[np.ndarray, " images"] | None = None
    path: str = ""
    lines: Int64[np.ndarray, " images"] | None = None

    def __post_init__(self) -> None:
        columns = [self.patient_id, self.study_id, self.label, self.score, self.prediction]
        columns += [column for column in (self.answer, self.lines) if column is not None]
        if any(column.shape != self.image_id.shape for column in columns):
            raise PredictionsError(f"{self.path or self.model}: the columns differ in length")
        if not len(self):
            raise PredictionsError(f"{self.path or self.model}: no predictions")
        if not self.model:
            raise PredictionsError(f"{self.path or 'predictions'}: the model has no name")
        self._refuse(self.image_id == "", "image_id is empty")
        _, first = np.unique(self.image_id, return_index=True)
        repeated = np.ones(len(self), bool)
        repeated[first] = False
        self._refuse(repeated, "image_id {image_id!r} appears a second time")
        self._refuse(~np.isin(self.label, (0, 1)), "label of {image_id!r} is not 0 or 1")
        outside = ~((self.score >= 0) & (self.score <= 1))
        self._refuse(outside, "score of {image_id!r} is {score}, not a number from 0 to 1")
        allowed = (0, 1) if self.answer is None else (UNPARSED, 0, 1)
        self._refuse(
            ~np.isin(self.prediction, allowed),
            "prediction of {image_id!r} is not 0 or 1 (empty only beside an answer)",
        )

    def __len__(self) -> int:
        return self.image_id.shape[0]

    def where(self, row: int) -> str:
        """``file:line`` of a row, or the model and row number if it was not read from a file."""
        if self.path and self.lines is not None:
            return f"{self.path}:{self.lines[row]}"
        return f"{self.path or self.model}, row {row}"

    def _refuse(self, wrong: np.ndarray, message: str) -> None:
        if wrong.any():
            row = int(np.argmax(wrong))
            values = {"image_id": str(self.image_id[row]), "score": self.score[row]}
            raise PredictionsError(f"{self.where(row)}: {message.format(**values)}")


def predictions_of_rows(
    rows: Sequence[ManifestRow],
    score: Sequence[float] | np.ndarray,
    prediction: Sequence[int] | np.ndarray,
    model: str,
    answer: Sequence[str] | np.ndarray | None = None,
) -> Predictions:
    """Predictions for manifest rows: ids and labels from the rows, the rest in the same order.

    ``score`` is P(injury) and ``prediction`` 0, 1 or `UNPARSED`, one per row; ``answer`` is the
    generated text of a vision-language model. Raises `PredictionsError` as `Predictions` does.
    """
    return Predictions(
        image_id=np.array([row.image_id for row in rows]),
        patient_id=np.array([row.patient_id for row in rows]),
        study_id=np.array([row.study_id for row in rows]),
        label=np.array([row.label for row in rows], np.int64),
        score=np.asarray(score, np.float64),
        prediction=np.asarray(prediction, np.int64),
        model=model,
        answer=None if answer is None else np.asarray(answer),
    )


def read_predictions(path: Path | str) -> Predictions:
    """Read one predictions file; its rows keep their order.

    Raises `PredictionsError`, naming file and line, for a missing file or column, an unknown
    column, a row of the wrong width, a value that is not of its column's kind, a repeated
    ``image_id`` or a second model name.
    """
    path = Path(path)
    try:
        # utf-8-sig: spreadsheets put a byte-order mark before the first column's name.
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
    """Write one predictions file, aside and then renamed; scores keep every digit."""
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
            # Before Python 3.13 a lone carriage return is not quoted, and would end the row.
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
                "write one file a model"
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
        # float() would also take "0_1" and " 1", which no program writes for a score.
        score = float(text) if NUMBER.fullmatch(text) else math.nan
    except ValueError:
        score = math.nan
    if not 0 <= score <= 1:
        raise PredictionsError(f"{path}:{line}: score {text!r} is not a number from 0 to 1")
    return score
