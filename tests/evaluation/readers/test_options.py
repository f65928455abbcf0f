"""Each option of the command: what it changes in the report, and wrong values."""

import re

import pytest

from elbow_core.errors import ReaderStudyError
from elbow_core.evaluation.readers import PlanSettings, ReaderSettings
from elbow_core.evaluation.readers import __main__ as command
from elbow_core.evaluation.readers.analysis import analyse
from elbow_core.evaluation.readers.simulate import write_study
from elbow_core.evaluation.statistics.multireader import (
    analyse_readers,
    cases_needed,
    pilot_of,
    reader_auroc,
    reader_components,
    reader_sensitivity,
)
from tests.support.commands import status_of
from tests.support.paths import names_in
from tests.support.reader_reports import documents, refused, run_command
from tests.support.reader_studies import small_study


def test_threshold_adds_sensitivity_and_specificity(tmp_path):
    study = small_study()
    found = run_command(tmp_path, study, "--threshold", "2")
    assert list(found["metrics"]) == ["auroc", "sensitivity", "specificity"]
    assert found["threshold"] == 2
    expected = reader_sensitivity(study.truth, study.ratings >= 2).values[0, 1]
    assert found["metrics"]["sensitivity"]["readers"]["M1"]["R2"]["value"] == expected
    assert len(names_in(tmp_path / "out" / "figures")) == 4
    one, _ = documents(study, "--threshold", "2", "--metric", "specificity")
    assert list(one["metrics"]) == ["specificity"]


def test_sensitivity_without_threshold_is_refused(tmp_path, capsys):
    line = refused(capsys, tmp_path, small_study(), "--metric", "sensitivity")
    assert "sensitivity needs decisions" in line
    assert "--threshold" in line


@pytest.mark.parametrize("covariance", ["jackknife", "delong"])
def test_covariance_is_that_of_the_option(covariance):
    study = small_study()
    found, _ = documents(study, "--covariance", covariance)
    expected = reader_components(reader_auroc(study.truth, study.ratings, covariance))
    assert found["metrics"]["auroc"]["components"]["variance"] == expected.variance


def test_confidence_is_that_of_the_intervals():
    wide, _ = documents(small_study(), "--confidence", "0.99")
    row = wide["metrics"]["auroc"]["populations"]["random"]["differences"][0]
    narrow, page = documents(small_study(), "--confidence", "0.8")
    other = narrow["metrics"]["auroc"]["populations"]["random"]["differences"][0]
    assert row["low"] < other["low"] < other["high"] < row["high"]
    assert "80 % interval" in page


def test_population_is_that_of_the_headline():
    study = small_study()
    for option, words in (
        ("fixed-readers", "these readers and random cases"),
        ("fixed-cases", "random readers and these cases"),
    ):
        line = documents(study, "--population", option)[1].splitlines()[2]
        assert line.endswith(f"{words}.")
        p = analyse_readers(
            reader_auroc(study.truth, study.ratings), command.POPULATIONS[option]
        ).equality.p
        assert f"p = {p:.3f}" in line


def test_non_inferiority_is_to_the_reference():
    found, page = documents(small_study(modalities=3), "--reference", " m2", "--margin", "0.2")
    rows = found["metrics"]["auroc"]["non_inferiority"]
    assert [(row["modality"], row["reference"]) for row in rows] == [("M1", "M2"), ("M3", "M2")]
    assert "Non-inferiority in AUROC, margin 0.2" in page
    for row in rows:
        verdict = "non-inferior" if row["p_holm"] <= 0.025 else "not shown"
        assert re.search(rf"\| {row['modality']} - M2 \|.*\| {verdict} \|", page)


def test_plan_is_that_of_the_statistics():
    study = small_study(seed=4)
    options = ("--effect", "0.1", "--power", "0.9", "--plan-readers", "4", "9")
    written, _ = documents(study, *options, "--plan-cases", "60")
    found = written["metrics"]["auroc"]["plan"]
    accuracy = reader_auroc(study.truth, study.ratings)
    pilot = pilot_of(reader_components(accuracy), 25)
    for row, readers in zip(found["needed"], (4, 9), strict=True):
        cases, power = cases_needed(pilot, readers, 0.9, 0.1) or (None, None)
        assert (row["readers"], row["cases"], row["power"]) == (readers, cases, power)
    assert [(row["readers"], row["cases"]) for row in found["asked"]] == [(4, 60), (9, 60)]
    assert found["asked"][0]["positives"] == round(60 * 11 / 25)


def test_plan_that_no_number_of_cases_reaches_says_so():
    _, page = documents(small_study(seed=5), "--effect", "0.005", "--plan-readers", "2")
    assert "| 2 | none | none | – |" in page
    assert "10000 cases are too few" in page


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--margin", "0.1"), "--margin and --reference: give both or neither"),
        (("--reference", "M1"), "--margin and --reference: give both or neither"),
        (("--margin", "0", "--reference", "M1"), "--margin: '0' is not above 0 and below 1"),
        (("--confidence", "95"), "--confidence: '95' is not above 0 and below 1"),
        (("--threshold", "two"), "--threshold: 'two' is not a number"),
        (("--effect", "0"), "--effect: no study finds a difference of 0"),
        (("--power", "0.8"), "--power: is for planning; give --effect too"),
        (("--plan-readers", "8"), "--plan-readers: is for planning"),
        (("--effect", "0.1", "--plan-readers", "1"), "--plan-readers: 1 is not from 2 to 1000"),
        (("--effect", "0.1", "--plan-cases", "1e3"), "--plan-cases: '1e3' is not a whole number"),
        (
            ("--effect", "-0.1", "--margin", "0.05", "--reference", "M1"),
            "--effect: -0.1 is not above minus the margin, -0.05",
        ),
        (("--negative", "1"), "--negative: '1' is the label of positive cases too"),
        (("--margin", "0.1", "--reference", "M9"), "the reference 'M9' is no modality; they are"),
        (("--case", "image"), "study.csv:1: no column 'image'; the columns are 'reader'"),
    ],
)
def test_wrong_options_are_refused_before_anything_is_written(tmp_path, capsys, options, message):
    write_study(tmp_path / "study.csv", small_study())
    arguments = (str(tmp_path / "study.csv"), "--out", str(tmp_path / "out"), *options)
    assert status_of(command, *arguments) == 2
    assert message in capsys.readouterr().err
    assert names_in(tmp_path) == ["study.csv"]


def test_plan_needs_two_readers_in_the_pilot():
    settings = ReaderSettings(population="fixed_readers", plan=PlanSettings(0.05))
    with pytest.raises(ReaderStudyError, match="the study: planning needs a pilot study of at"):
        analyse(small_study(readers=1), settings)
