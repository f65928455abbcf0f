"""A file of outcomes, appended a group at a time, from which a killed command continues."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from elbow_core.files import append_to_journal, cut_journal, read_journal
from elbow_jax.streaming.groups import Outcome, Scores

_DIGEST_BYTES = 32


class Journal:
    """The outcomes of files, in their order; the caller keeps other processes away.

    Attributes:
        files: those that are finished.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.files = 0

    def restore(self, most: int) -> Scores:
        """Return the scores of the finished files by digest, and drop what is not whole.

        Args:
            most: files that there are.

        Raises:
            OSError: if the file cannot be read or changed.
        """
        scores = Scores()
        self.files = end = 0
        for outcomes, line_end in read_journal(self._path, _outcomes):
            if self.files + len(outcomes) > most:
                break
            self.files, end = self.files + len(outcomes), line_end
            for outcome in outcomes:
                if outcome.score is not None:
                    scores[outcome.digest] = (outcome.score, outcome.distance)
        cut_journal(self._path, end)
        return scores

    def append(self, outcomes: Sequence[Outcome]) -> None:
        """Add a group. Raises `OSError`."""
        cells = [[one.digest.hex(), one.score, one.reason, one.distance] for one in outcomes]
        append_to_journal(self._path, cells)
        self.files += len(outcomes)

    def outcomes(self) -> Iterator[Outcome]:
        """Yield all outcomes. Raises `OSError`."""
        for outcomes, _ in read_journal(self._path, _outcomes):
            yield from outcomes


def _outcomes(group: Any) -> list[Outcome]:
    return [_outcome(*cells) for cells in group]


def _outcome(digest: Any, score: Any, reason: Any, distance: Any) -> Outcome:
    found = Outcome(bytes.fromhex(digest), score, reason, distance)
    is_rejected = score is None and isinstance(reason, str) and bool(reason) and not digest
    is_rejected = is_rejected and distance is None
    is_scored = (
        isinstance(score, float)
        and 0 <= score <= 1
        and reason == ""
        and (distance is None or (isinstance(distance, float) and distance >= 0))
        and len(found.digest) == _DIGEST_BYTES
    )
    if not (is_rejected or is_scored):
        raise ValueError("is no outcome")
    return found
