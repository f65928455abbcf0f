"""A file of answers, appended batch by batch, with which a killed prediction resumes."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from elbow_core.files import atomic_file


@dataclass(frozen=True)
class Answer:
    """A model's answer for one image; ``score`` is P(injury), ``label`` 0, 1 or `UNPARSED`."""

    score: float
    text: str
    label: int


class AnswerLog:
    """A file of answers in manifest order, started anew where it belongs to another subject.

    ``subject`` identifies what the answers depend on: model, adapter and data.
    """

    def __init__(self, path: Path, subject: Mapping[str, str]) -> None:
        self._path = path
        self._header = json.dumps({"subject": dict(subject)}, sort_keys=True)
        if not path.is_file() or self._complete_lines()[:1] != [self._header]:
            self._write([self._header])

    def read(self, limit: int) -> list[Answer]:
        """Return the first ``limit`` answers; remove an incomplete last line from the file."""
        lines = self._complete_lines()
        self._write(lines)
        return [Answer(**json.loads(line)) for line in lines[1:]][:limit]

    def append(self, answers: Sequence[Answer]) -> None:
        """Add the answers for the next images."""
        with self._path.open("a", encoding="utf-8") as file:
            file.write("".join(f"{json.dumps(asdict(answer))}\n" for answer in answers))

    def remove(self) -> None:
        """Delete the file, once the predictions are written."""
        self._path.unlink()

    def _complete_lines(self) -> list[str]:
        # A killed process leaves a last line without a line end.
        return self._path.read_text(encoding="utf-8").split("\n")[:-1]

    def _write(self, lines: Sequence[str]) -> None:
        with atomic_file(self._path) as partial:
            partial.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
