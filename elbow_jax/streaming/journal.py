"""A file of outcomes, appended a group at a time, from which a killed command continues.

Each line has the outcomes of a group as JSON, behind a checksum of it. A kill leaves a last line
that is cut short, a failing machine perhaps more; what is behind the last whole line is dropped.
"""

import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from elbow_core.files import parse_json
from elbow_jax.streaming.groups import Outcome, Scores

_CHECKSUM = 16  # hexadecimal digits
_MAX_LINE = 1 << 26
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
        for outcomes, line_end in self._lines():
            if self.files + len(outcomes) > most:
                break
            self.files, end = self.files + len(outcomes), line_end
            for outcome in outcomes:
                if outcome.score is not None:
                    scores[outcome.digest] = (outcome.score, outcome.distance)
        if self._path.exists() and self._path.stat().st_size > end:
            os.truncate(self._path, end)
        return scores

    def append(self, outcomes: Sequence[Outcome]) -> None:
        """Add a group. Raises `OSError`."""
        with self._path.open("ab") as file:
            file.write(_line(outcomes))
        self.files += len(outcomes)

    def outcomes(self) -> Iterator[Outcome]:
        """Yield all outcomes. Raises `OSError`."""
        for outcomes, _ in self._lines():
            yield from outcomes

    def _lines(self) -> Iterator[tuple[list[Outcome], int]]:
        """Yield the outcomes in each whole line, and where it ends in the file."""
        if not self._path.exists():
            return
        end = 0
        with self._path.open("rb") as file:
            while line := file.readline(_MAX_LINE):
                outcomes = _outcomes(line)
                if outcomes is None:
                    return
                end += len(line)
                yield outcomes, end


def _line(outcomes: Sequence[Outcome]) -> bytes:
    cells = [[one.digest.hex(), one.score, one.reason, one.distance] for one in outcomes]
    content = json.dumps(cells, allow_nan=False).encode()
    return _checksum(content) + b" " + content + b"\n"


def _outcomes(line: bytes) -> list[Outcome] | None:
    """Return the outcomes in a line; None for one that is not whole."""
    checksum, _, content = line.removesuffix(b"\n").partition(b" ")
    if not line.endswith(b"\n") or checksum != _checksum(content):
        return None
    try:
        return [_outcome(*cells) for cells in parse_json(content)]
    except (ValueError, TypeError):
        return None


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


def _checksum(content: bytes) -> bytes:
    return hashlib.sha256(content).hexdigest()[:_CHECKSUM].encode()
