"""The file of answers with which a prediction resumes: whose they are, and that none is missing."""

import json
from pathlib import Path

import pytest

from elbow_core.errors import UserError
from elbow_core.evaluation import UNPARSED
from vlm_torch.scoring.answer_log import Answer, AnswerLog

IDS = ["a", "b", "c", "d", "e"]
SUBJECT = {"model": "1", "split": "test"}


def answers(*ids: str) -> list[Answer]:
    return [Answer(image_id, 0.25, "No injury", 0) for image_id in ids]


@pytest.fixture
def log(tmp_path) -> AnswerLog:
    return AnswerLog(tmp_path / "log.jsonl", SUBJECT, IDS)


def lines(folder: Path) -> list[str]:
    return (folder / "log.jsonl").read_text().splitlines()


def test_answers_are_read_as_they_were_written(log, tmp_path):
    log.append(answers("a", "b"))
    log.append([Answer("c", 1.0, "Fräktur\u2028\n", 1), Answer("d", 0.0, "?", UNPARSED)])
    log.append(answers("e"))
    assert AnswerLog(tmp_path / "log.jsonl", SUBJECT, IDS).begin(2) == 5
    assert [answer.image_id for answer in log.read()] == IDS
    assert log.read()[2].text == "Fräktur\u2028\n"


@pytest.mark.parametrize(("batch_size", "kept"), [(1, 3), (2, 2), (3, 3), (4, 0)])
def test_resumed_batches_are_those_of_an_unbroken_prediction(log, tmp_path, batch_size, kept):
    log.append(answers("a", "b", "c"))
    with (tmp_path / "log.jsonl").open("a") as file:
        file.write('{"image_id": "d", "sco')  # of a killed process
    assert AnswerLog(tmp_path / "log.jsonl", SUBJECT, IDS).begin(batch_size) == kept
    assert len(lines(tmp_path)) == 1 + kept


@pytest.mark.parametrize("subject", [{"model": "2", "split": "test"}, {"model": "1"}])
def test_log_of_another_subject_is_started_anew_with_a_line(log, tmp_path, subject, capsys):
    log.append(answers("a"))
    assert AnswerLog(tmp_path / "log.jsonl", subject, IDS).begin(1) == 0
    assert "all images are answered anew" in capsys.readouterr().err


def test_log_of_an_earlier_version_is_started_anew_with_a_line(tmp_path, capsys):
    """Its answers have no image."""
    path = tmp_path / "log.jsonl"
    old = [{"subject": SUBJECT}, {"score": 0.5, "text": "No injury", "label": 0}]
    path.write_text("".join(f"{json.dumps(line)}\n" for line in old))
    assert AnswerLog(path, SUBJECT, IDS).begin(1) == 0
    assert "earlier version" in capsys.readouterr().err


def damaged(kind: str, lines: list[str]) -> list[str]:
    header, *rows = lines
    changes = {
        "gap": rows[:1] + rows[2:],
        "double": [*rows[:2], *rows[1:]],
        "order": [rows[1], rows[0], *rows[2:]],
        "too many": [*rows, rows[0]],
        "second header": [rows[0], header, *rows[1:]],
        "no JSON": [rows[0], "{", *rows[2:]],
        "null bytes": [rows[0], "\0" * 40, *rows[2:]],
        "nested": [rows[0], "[" * 100_000, *rows[2:]],
    }
    if kind in changes:
        return [header, *changes[kind]]
    values = {
        "unknown": {"image_id": "z"},
        "no id": {"image_id": None},
        "NaN": {"score": float("nan")},
        "infinite": {"score": float("inf")},
        "above 1": {"score": 1.5},
        "text": {"score": "0.5"},
        "boolean": {"score": True},
        "label": {"label": 2},
        "more": {"extra": 1},
    }
    return [header, rows[0], json.dumps(json.loads(rows[1]) | values[kind]), *rows[2:]]


KINDS = (
    *("gap", "double", "order", "too many", "second header", "no JSON", "null bytes", "nested"),
    *("unknown", "no id", "NaN", "infinite", "above 1", "text", "boolean", "label", "more"),
)


@pytest.mark.parametrize("kind", KINDS)
def test_damaged_answers_are_refused_with_their_line_and_kept(log, tmp_path, kind):
    log.append(answers(*IDS))
    path = tmp_path / "log.jsonl"
    path.write_text("".join(f"{line}\n" for line in damaged(kind, lines(tmp_path))))
    before = path.read_bytes()
    with pytest.raises(UserError, match=r"log\.jsonl:\d+: .*; delete the file to answer"):
        AnswerLog(path, SUBJECT, IDS).begin(1)
    assert path.read_bytes() == before


def test_missing_answers_are_refused(log):
    log.append(answers("a", "b"))
    with pytest.raises(UserError, match="the answer for image 'c' is missing"):
        log.read()


def test_answers_of_two_processes_are_never_mixed(log, tmp_path):
    """As two processes without a lock would write them."""
    other = AnswerLog(tmp_path / "log.jsonl", SUBJECT, IDS)
    for one in (log, other):
        one.append(answers("a", "b"))
    with pytest.raises(UserError, match="in the place of 'c'"):
        log.read()


@pytest.mark.parametrize("content", [b"text\n", b"{}\n", b"\xff\xfe\n", b"[1]\n"])
def test_foreign_file_is_refused_and_kept(tmp_path, content):
    path = tmp_path / "log.jsonl"
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"log\.jsonl:1: "):
        AnswerLog(path, SUBJECT, IDS)
    assert path.read_bytes() == content


def test_link_and_folder_are_refused(tmp_path):
    (tmp_path / "target").write_text("text")
    (tmp_path / "link").symlink_to(tmp_path / "target")
    (tmp_path / "folder").mkdir()
    for name in ("link", "folder"):
        with pytest.raises(UserError, match="is not a regular file"):
            AnswerLog(tmp_path / name, SUBJECT, IDS)
    assert (tmp_path / "target").read_text() == "text"


def test_score_that_is_not_finite_cannot_be_written(log):
    with pytest.raises(ValueError, match="JSON"):
        log.append([Answer("a", float("nan"), "", 0)])
