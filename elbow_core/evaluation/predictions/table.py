"""The predictions table: one model's score of each image."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float64, Int64, Shaped

from elbow_core.dataset import ManifestRow
from elbow_core.errors import PredictionsError
from elbow_core.identity import normalise_id, normalise_image_id

UNPARSED = -1


@dataclass(frozen=True, slots=True, eq=False)
class Predictions:
    """One model's scores over one set of images, row by row.

    ``label`` is 0 normal, 1 injury; ``score`` is P(injury) in 0..1; ``prediction`` is 0, 1 or
    `UNPARSED` (-1, an empty cell in the file) for a generated ``answer`` that names neither class.
    An empty ``patient_id`` or ``study_id`` means unknown. Ids are kept as given and compared by
    `keys`. ``path`` and ``lines`` locate each row in its file, for error messages; they are empty
    for predictions that were not read from a file.

    Raises `PredictionsError` if the columns differ in length, an image id is empty or repeated, or
    a value is outside its range.
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
        images = self.keys("image_id")
        self._refuse(images == "", "image_id is empty")
        _, first = np.unique(images, return_index=True)
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

    def keys(
        self, column: Literal["image_id", "patient_id", "study_id"]
    ) -> Shaped[np.ndarray, " images"]:
        """Return a column of ids in the form in which they are compared (`elbow_core.identity`)."""
        normalise = normalise_image_id if column == "image_id" else normalise_id
        return np.array([normalise(text) for text in getattr(self, column).tolist()])

    def where(self, row: int) -> str:
        """Return ``file:line`` of a row, or the model and row number if there is no file."""
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
