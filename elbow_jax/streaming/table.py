"""The table of scores: a row for each file, whether it was scored or rejected."""

from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain, starmap
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float64

from elbow_core.progress import track
from elbow_core.tables import write_csv_rows
from elbow_jax.streaming.groups import Outcome

COLUMNS = ("path", "score", "label", "operating_point", "gate", "reason")
"""``score`` is P(injury). ``gate`` says whether the image is like those that the model learnt from;
it is empty for a model without an input gate. ``reason`` says why a file is rejected, whose other
cells are empty."""
ALIKE, UNLIKE = "ok", "unlike the training images"
_EARLIER = ("path", "score", "label")
MARKS = tuple(",".join(columns) + "\n" for columns in (COLUMNS, _EARLIER))
"""How such a file begins, now and in earlier versions, so that a command may replace it."""

TASK = "predict"
"""The name of the work where its progress is shown."""

Row = tuple[str, str, str, str, str, str]
_MOST_NAMED = 100


@runtime_checkable
class Stream(Protocol):
    """An open text file or stream."""

    def write(self, text: str, /) -> object:
        """Write a text."""

    def flush(self) -> object:
        """Pass on what was written."""


class Sheet:
    """Rows from outcomes, and what there is to say of them in the end.

    Args:
        answer: the function from a score to its label.
        operating_point: what decides, as the table names it.

    Attributes:
        rejected: files without a score.
        rejections: a line for each of the first of them.
        unlike: images that the input gate flags.
    """

    def __init__(self, answer: Callable[[float], str], operating_point: str) -> None:
        self._answer = answer
        self._operating_point = operating_point
        self._scores = array("d")
        self.rejected = self.unlike = 0
        self.rejections: list[str] = []

    @property
    def scores(self) -> Float64[np.ndarray, " images"]:
        """Scores of the files so far that have one."""
        return np.array(self._scores)

    @property
    def unnamed(self) -> int:
        """Files without a score that have no line in `rejections`."""
        return self.rejected - len(self.rejections)

    def row(self, path: str, outcome: Outcome) -> Row:
        """Return the cells of a file's row."""
        if outcome.score is None:
            self.rejected += 1
            if self.rejected <= _MOST_NAMED:
                self.rejections.append(f"{path}: {outcome.reason}")
            return (path, "", "", "", "", outcome.reason)
        self._scores.append(outcome.score)
        label, gate = self._answer(outcome.score), ""
        if outcome.distance is not None:
            gate = UNLIKE if outcome.distance > 1 else ALIKE
            self.unlike += gate == UNLIKE
        return (path, f"{outcome.score:.6f}", label, self._operating_point, gate, "")


def write_as_they_come(
    stream: Stream,
    paths: Sequence[str],
    groups: Iterable[Sequence[Outcome]],
    sheet: Sheet,
    progress: bool,
) -> None:
    """Write the table to a stream, each group of outcomes at once; show the progress if asked to.

    Nothing is written before the first group is known.
    """

    def outcomes() -> Iterator[Outcome]:
        for group in groups:
            yield from group
            stream.flush()

    found = outcomes()
    if progress:
        found = track(found, len(paths), TASK, brief=True)
    rows = starmap(sheet.row, zip(paths, found, strict=True))
    first = next(rows, None)
    if first is not None:
        write_csv_rows(stream, COLUMNS, chain([first], rows))
    for _ in rows:  # to its end, after which the progress says so
        pass
