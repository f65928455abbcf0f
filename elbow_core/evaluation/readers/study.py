"""A study in which every reader rates every case with every modality."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int64


@dataclass(frozen=True, slots=True, eq=False)
class ReaderStudy:
    """Names in the order of the table, truth (0 negative, 1 positive), ratings, and the file.

    A higher rating means more suspicion. ``path`` is empty for a study that was not read.
    """

    readers: tuple[str, ...]
    modalities: tuple[str, ...]
    cases: tuple[str, ...]
    truth: Int64[np.ndarray, " cases"]
    ratings: Float64[np.ndarray, "modalities readers cases"]
    path: str = ""

    @property
    def binary(self) -> bool:
        """Whether every rating is 0 or 1, a decision."""
        return bool(np.isin(self.ratings, (0.0, 1.0)).all())

    @property
    def place(self) -> str:
        """The name of the study in an error message."""
        return self.path or "the study"
