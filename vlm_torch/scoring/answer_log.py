"""A file of answers, appended batch by batch, with which a killed prediction resumes.

Its first line is a header: schema, and the subject of the answers (model, adapter, data, split).
Each further line is the answer for one image, with the image's id, in manifest order.
"""

import json
import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from elbow_core.errors import UserError
from elbow_core.evaluation import UNPARSED
from elbow_core.files import atomic_file, parse_json

SCHEMA = 2


@dataclass(frozen=True)
class Answer:
    """A model's answer for one image; ``score`` is P(injury), ``label`` 0, 1 or `UNPARSED`."""

    image_id: str
    score: float
    text: str
    label: int


class AnswerLog:
    """The answers for the images of one split, in manifest order.

    A log of another subject or of an earlier schema is started anew, with a line on standard error.
    The caller holds the lock of the run, so that no other process appends to the file.

    Args:
        path: of the file.
        subject: what the answers depend on.
        image_ids: of the split, in manifest order.

    Raises:
        UserError: the file cannot be one that a prediction wrote.
    """

    def __init__(self, path: Path, subject: Mapping[str, str], image_ids: Sequence[str]) -> None:
        self._path = path
        self._image_ids = list(image_ids)
        header = {"schema": SCHEMA, "subject": dict(subject)}
        self._header = json.dumps(header, sort_keys=True)
        if path.is_symlink() or (path.exists() and not path.is_file()):
            raise UserError(f"{path}: is not a regular file; move it away")
        lines = self._complete_lines() if path.exists() else []
        if lines and lines[0] != self._header:
            found = _parse(lines[0])
            if not isinstance(found, dict) or "subject" not in found:
                raise self._damage(1, "is not the header of a file of answers")
            if len(lines) > 1:
                print(
                    f"{path}: holds answers of another model, other data or an earlier version; "
                    "all images are answered anew",
                    file=sys.stderr,
                )
        if lines[:1] != [self._header]:
            self._write([self._header])

    def begin(self, batch_size: int) -> int:
        """Return how many images need no answer any more; remove those of an incomplete batch.

        The batches of a resumed prediction are thus those of an unbroken one.

        Raises `UserError` as `read` does.
        """
        answered = self._answers()
        if len(answered) < len(self._image_ids):
            answered = answered[: len(answered) // batch_size * batch_size]
        self._write([self._header, *map(_line, answered)])
        return len(answered)

    def append(self, answers: Sequence[Answer]) -> None:
        """Add the answers for the next images."""
        with self._path.open("a", encoding="utf-8") as file:
            file.write("".join(f"{_line(answer)}\n" for answer in answers))

    def read(self) -> list[Answer]:
        """Return the answers for all images.

        Raises `UserError`, naming the line, for an answer that is not that of its image (a gap, an
        id that is repeated, unknown or in another place), for a score that is not a number from 0
        to 1, and for missing answers.
        """
        answers = self._answers()
        if len(answers) < len(self._image_ids):
            missing = self._image_ids[len(answers)]
            raise self._damage(len(answers) + 2, f"the answer for image {missing!r} is missing")
        return answers

    def remove(self) -> None:
        """Delete the file, once the predictions are written."""
        self._path.unlink()

    def _answers(self) -> list[Answer]:
        lines = self._complete_lines()
        if lines[:1] != [self._header]:
            raise self._damage(1, "is not the header that this prediction wrote")
        if len(lines) - 1 > len(self._image_ids):
            raise self._damage(len(self._image_ids) + 2, "there are more answers than images")
        answers = []
        for number, (line, image_id) in enumerate(zip(lines[1:], self._image_ids, strict=False), 2):
            answer = _answer(_parse(line))
            if answer is None:
                raise self._damage(number, "is not an answer with a score from 0 to 1")
            if answer.image_id != image_id:
                found = f"the answer for image {answer.image_id!r}"
                raise self._damage(number, f"is {found}, in the place of {image_id!r}")
            answers.append(answer)
        return answers

    def _complete_lines(self) -> list[str]:
        # A killed process leaves a last line without a line end.
        try:
            return self._path.read_text(encoding="utf-8").split("\n")[:-1]
        except UnicodeDecodeError as error:
            raise self._damage(1, "the file is not UTF-8") from error

    def _damage(self, line: int, reason: str) -> UserError:
        return UserError(f"{self._path}:{line}: {reason}; delete the file to answer all images")

    def _write(self, lines: Sequence[str]) -> None:
        with atomic_file(self._path) as partial:
            partial.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def _line(answer: Answer) -> str:
    return json.dumps(asdict(answer), allow_nan=False)


def _parse(line: str) -> Any:
    try:
        return parse_json(line.encode())
    except ValueError:
        return None


def _answer(content: Any) -> Answer | None:
    """Return a line's content as an answer, or None if it is none."""
    if not isinstance(content, dict) or set(content) != {field.name for field in fields(Answer)}:
        return None
    if not isinstance(content["image_id"], str) or not isinstance(content["text"], str):
        return None
    if type(content["score"]) is not float or not math.isfinite(content["score"]):
        return None
    if not 0 <= content["score"] <= 1 or type(content["label"]) is not int:
        return None
    return Answer(**content) if content["label"] in (0, 1, UNPARSED) else None
