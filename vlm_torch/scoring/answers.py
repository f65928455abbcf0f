"""Answers as they come, kept so that a killed prediction goes on."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True)
class Answer:
    """What a model said of one image; ``label`` is 0, 1 or `UNPARSED`."""

    score: float
    text: str
    label: int


class AnswerLog:
    """A file of answers in manifest order, begun anew where they are of something else.

    ``subject`` says what they are of: model, adapter and data.
    """

    def __init__(self, path: Path, subject: Mapping[str, str]) -> None:
        self._path = path
        self._subject = json.dumps({"subject": dict(subject)}, sort_keys=True)
        if not path.is_file() or self._lines()[:1] != [self._subject]:
            path.write_text(self._subject + "\n", encoding="utf-8")

    def read(self, most: int) -> list[Answer]:
        """Return the answers so far, the first ``most`` of them; cuts off a line cut short."""
        lines = self._lines()
        self._path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        return [Answer(**json.loads(line)) for line in lines[1:]][:most]

    def append(self, answers: Sequence[Answer]) -> None:
        """Add the answers for the next images."""
        with self._path.open("a", encoding="utf-8") as file:
            file.write("".join(f"{json.dumps(asdict(answer))}\n" for answer in answers))

    def remove(self) -> None:
        """Delete the file, once the answers stand elsewhere."""
        self._path.unlink()

    def _lines(self) -> list[str]:
        lines = self._path.read_text(encoding="utf-8").split("\n")
        return lines[:-1]  # what follows the last line end was cut short, or is nothing
