"""The command `elbow_core.evaluation.abstain`: what it says, and what it refuses."""

from pathlib import Path

import pytest

from elbow_core.evaluation import abstain, write_predictions
from elbow_core.evaluation.abstention import (
    read_abstention,
)
from tests.support.abstention_data import (
    OPTIONS,
    clear_predictions,
    write_chosen,
)
from tests.support.commands import refusal_of, status_of


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Predictions of both sets, and the thresholds chosen on validation; read-only."""
    return write_chosen(tmp_path_factory.mktemp("abstention"))


def test_command_says_what_it_chose_and_promises(folder, tmp_path, capsys):
    out = tmp_path / "a.json"
    for _ in range(2):  # its own file may be replaced
        status = status_of(abstain, str(folder / "validation.csv"), *OPTIONS, "--out", str(out))
        assert status == 0
    lines = capsys.readouterr().out.splitlines()[-6:]
    record = read_abstention(out)
    assert record.normal is not None
    assert record.injury is not None
    assert lines[0] == (
        "network: 800 images of 400 patients, 400 injured; every patient counts once"
    )
    assert lines[1].startswith(
        f"normal: score below {record.normal.threshold:g}, {record.normal.images} images, "
        f"{record.normal.wrong} of them injured; promise: at most 0.05 (p "
    )
    assert lines[2].startswith(f"injury: score from {record.injury.threshold:g}, ")
    left = 800 - record.normal.images - record.injury.images
    assert lines[3] == f"left to the reader: {left} of 800 images ({left / 800:.1%})"
    assert lines[5] == str(out)


def test_command_says_how_many_patients_an_answer_takes(tmp_path, capsys):
    few = clear_predictions(60)
    few.patient_id[:3] = ""
    write_predictions(tmp_path / "few.csv", few)
    out = tmp_path / "a.json"
    assert status_of(abstain, str(tmp_path / "few.csv"), *OPTIONS, "--out", str(out)) == 0
    printed = capsys.readouterr().out
    # 0.95^116 is above 0.05 / 2 / 10, and 0.95^117 below.
    assert "normal: never, since no threshold is certain to keep 0.05; it takes 117 pat" in printed
    assert "3 images name no patient; each counts as a patient of its own" in printed
    assert "left to the reader: 120 of 120 images (100.0%)" in printed


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--missed", "0", "--false-alarms", "0.1"), "--missed: 0 is not inside 0 to 1"),
        (("--missed", "1.5", "--false-alarms", "0.1"), "--missed: '1.5' is not a number from 0"),
        (("--missed", "nan", "--false-alarms", "0.1"), "--missed: 'nan' is not a number from 0"),
        (("--missed", "0.1", "--false-alarms", "1"), "--false-alarms: 1 is not inside 0 to 1"),
        ((*OPTIONS, "--confidence", "95"), "--confidence: '95' is not a number from 0 to 1"),
        ((*OPTIONS, "--unit", "image"), "--most-images: belongs to --unit image"),
        ((*OPTIONS, "--most-images", "2"), "--most-images: belongs to --unit image"),
        ((*OPTIONS, "--unit", "image", "--most-images", "0"), "0 is not at least 1"),
        ((*OPTIONS, "--unit", "image", "--most-images", "two"), "'two' is not a whole number"),
    ],
)
def test_option_that_is_none_is_a_usage_error(folder, tmp_path, capsys, options, message):
    arguments = (str(folder / "validation.csv"), *options, "--out", str(tmp_path / "a.json"))
    assert status_of(abstain, *arguments) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "a.json").exists()


def one_class(predictions):
    predictions.label[:] = 1


def constant(predictions):
    predictions.score[:] = 0.25


@pytest.mark.parametrize(
    ("change", "options", "message"),
    [
        (one_class, (), "v.csv: validation needs images of both classes"),
        (constant, (), "v.csv: every score is 0.25; no threshold divides the images"),
        (None, ("--unit", "image", "--most-images", "1"), "v.csv:2: patient 'vp0' has 2 images"),
    ],
)
def test_validation_that_allows_no_choice_is_refused(tmp_path, capsys, change, options, message):
    predictions = clear_predictions(20)
    if change is not None:
        change(predictions)
    write_predictions(tmp_path / "v.csv", predictions)
    arguments = (str(tmp_path / "v.csv"), *OPTIONS, *options, "--out", str(tmp_path / "a.json"))
    assert message in refusal_of(capsys, abstain, *arguments)
    assert not (tmp_path / "a.json").exists()


def test_score_that_is_not_a_number_is_refused_with_its_line(folder, tmp_path, capsys):
    path = tmp_path / "v.csv"
    lines = (folder / "validation.csv").read_text().splitlines()
    cells = lines[3].split(",")
    lines[3] = ",".join([*cells[:4], "nan", *cells[5:]])
    path.write_text("\n".join(lines))
    arguments = (str(path), *OPTIONS, "--out", str(tmp_path / "a.json"))
    assert f"{path}:4: score 'nan' is not a number" in refusal_of(capsys, abstain, *arguments)


def test_file_of_someone_else_is_not_replaced(folder, tmp_path, capsys):
    out = tmp_path / "mine.json"
    out.write_text('{"mine": 1}')
    arguments = (str(folder / "validation.csv"), *OPTIONS, "--out", str(out))
    assert "was not written by this command" in refusal_of(capsys, abstain, *arguments)
    assert out.read_text() == '{"mine": 1}'
