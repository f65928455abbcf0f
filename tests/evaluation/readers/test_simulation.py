"""The command that simulates a study."""

import pytest

from elbow_core.evaluation.readers import read_study, simulate
from elbow_core.evaluation.readers.reading import COLUMNS
from tests.support.commands import refusal_of, status_of
from tests.support.paths import names_in


def test_simulated_study_is_read_by_the_command(tmp_path):
    path = tmp_path / "study.csv"
    arguments = (str(path), "--aurocs", "0.7", "0.9", "0.8", "--readers", "3", "--seed", "5")
    assert status_of(simulate, *arguments, "--positives", "20", "--negatives", "30") == 0
    found = read_study(path, {name: name for name in COLUMNS}, {"1": 1, "0": 0})
    assert found.ratings.shape == (3, 3, 50)
    assert found.truth.sum() == 20
    assert found.ratings.min() >= 0
    assert found.ratings.max() <= 100
    first = path.read_bytes()
    assert status_of(simulate, *arguments, "--positives", "20", "--negatives", "30") == 0
    assert path.read_bytes() == first


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--aurocs", "1"), "--aurocs: '1' is not a number from 0.01 to 0.99"),
        (("--null", "x"), "--null: 'x' is not a number"),
        (("--null", "0.8", "--readers", "0"), "--readers: 0 is not from 1 to 250"),
        (("--null", "0.8", "--positives", "1"), "--positives: 1 is not from 2"),
        ((), "one of the arguments --aurocs --null is required"),
    ],
)
def test_wrong_options_of_the_simulation_are_refused(tmp_path, capsys, options, message):
    assert status_of(simulate, str(tmp_path / "study.csv"), *options) == 2
    assert message in capsys.readouterr().err
    assert names_in(tmp_path) == []


def test_simulation_does_not_replace_another_file(tmp_path, capsys):
    path = tmp_path / "thesis.tex"
    path.write_text("mine")
    assert "was not written by this command" in refusal_of(
        capsys, simulate, str(path), "--null", "0.8"
    )
    assert path.read_text() == "mine"
