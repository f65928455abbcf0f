"""The commands: a report of a study, its refusals, and a simulated study."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from elbow_core.errors import PredictionsError, ReaderStudyError
from elbow_core.evaluation.readers import (
    PlanSettings,
    ReaderSettings,
    ReaderStudy,
    figures,
    read_study,
    simulate,
    write_readers_report,
)
from elbow_core.evaluation.readers import __main__ as command
from elbow_core.evaluation.readers.analysis import analyse
from elbow_core.evaluation.readers.json_content import json_content
from elbow_core.evaluation.readers.reading import COLUMNS
from elbow_core.evaluation.readers.sections import headline, study_blocks
from elbow_core.evaluation.readers.simulate import write_study
from elbow_core.evaluation.report.rendering import render_markdown
from elbow_core.evaluation.statistics.multireader import (
    POPULATIONS,
    analyse_readers,
    cases_needed,
    pilot_of,
    reader_auroc,
    reader_components,
    reader_sensitivity,
)
from tests.support.commands import refusal_of, status_of
from tests.support.paths import names_in
from tests.support.reader_studies import small_study


def changed(study: ReaderStudy, ratings: np.ndarray, **names: tuple[str, ...]) -> ReaderStudy:
    given = {"readers": study.readers, "modalities": study.modalities, **names}
    return ReaderStudy(
        given["readers"], given["modalities"], study.cases, study.truth, ratings.astype(float)
    )


def documents(study: ReaderStudy, *options: str) -> tuple[dict, str]:
    """Return readers.json and report.md as the command writes them, without the figures."""
    parser = command._parser()
    settings = command._settings(parser, parser.parse_args(["study.csv", "--out", "out", *options]))
    analysis = analyse(study, settings)
    page = render_markdown("Reader study", study_blocks(analysis, "study.csv", {}))
    return json.loads(json.dumps(json_content(analysis, "study.csv"), allow_nan=False)), page


def run(folder: Path, study: ReaderStudy, *options: str) -> dict:
    """Run the command on a study; return its readers.json."""
    write_study(folder / "study.csv", study)
    arguments = (str(folder / "study.csv"), "--out", str(folder / "out"), *options)
    assert status_of(command, *arguments) == 0
    return json.loads((folder / "out" / "readers.json").read_bytes())


def refused(capsys, folder: Path, study: ReaderStudy, *options: str) -> str:
    """Run the command, which must refuse and leave no output; return the line."""
    write_study(folder / "study.csv", study)
    arguments = (str(folder / "study.csv"), "--out", str(folder / "out"), *options)
    line = refusal_of(capsys, command, *arguments)
    assert not (folder / "out").exists()
    return line


def test_report_has_the_numbers_of_the_analysis(tmp_path, capsys):
    study = small_study()
    found = run(tmp_path, study, "--title", "Elbows")
    assert capsys.readouterr().out.split() == [
        str(tmp_path / "out" / name) for name in ("readers.json", "report.html", "report.md")
    ]
    assert (found["title"], found["cases"], found["positives"]) == ("Elbows", 25, 11)
    accuracy = reader_auroc(study.truth, study.ratings)
    for population in POPULATIONS:
        expected = analyse_readers(accuracy, population)
        of = found["metrics"]["auroc"]["populations"][population]
        assert of["equality"]["p"] == expected.equality.p
        assert of["differences"][0]["low"] == expected.differences[0].estimate.low
        assert of["modalities"]["M2"]["value"] == expected.modalities[1].value
    page = (tmp_path / "out" / "report.md").read_text("utf-8")
    row = expected_row = analyse_readers(accuracy).differences[0]
    assert f"{row.estimate.value:.4f} ({row.estimate.low:.4f} to" in page
    assert f"p = {expected_row.p:.3f}; random readers and random cases." in page
    assert names_in(tmp_path / "out" / "figures") == ["differences_auroc.png", "roc.png"]
    html = (tmp_path / "out" / "report.html").read_text("utf-8")
    assert html.count("data:image/png;base64,") == 2


def test_same_study_gives_the_same_bytes(tmp_path):
    for name in ("a", "b"):
        write_readers_report(small_study(), tmp_path / name)
    for path in sorted((tmp_path / "a").rglob("*.*")):
        other = tmp_path / "b" / path.relative_to(tmp_path / "a")
        assert path.read_bytes() == other.read_bytes()


def test_next_report_replaces_the_former_and_nothing_else(tmp_path, capsys):
    study = small_study()
    first = run(tmp_path, study)
    assert run(tmp_path, study, "--covariance", "delong") != first
    (tmp_path / "out" / "thesis.tex").write_text("mine")
    line = refusal_of(capsys, command, str(tmp_path / "study.csv"), "--out", str(tmp_path / "out"))
    assert "holds other files, such as thesis.tex" in line
    assert (tmp_path / "out" / "thesis.tex").read_text() == "mine"


def test_report_of_models_is_not_replaced_by_one_of_readers(tmp_path):
    metrics = '{"schema": 1, "images": 1, "injured": 1, "normal": 0, "draws": 1, "seed": 0, '
    (tmp_path / "metrics.json").write_text(metrics + '"models": {}}')
    with pytest.raises(PredictionsError, match=r"such as metrics\.json"):
        write_readers_report(small_study(), tmp_path)
    assert names_in(tmp_path) == ["metrics.json"]


def test_threshold_adds_sensitivity_and_specificity(tmp_path):
    study = small_study()
    found = run(tmp_path, study, "--threshold", "2")
    assert list(found["metrics"]) == ["auroc", "sensitivity", "specificity"]
    assert found["threshold"] == 2
    expected = reader_sensitivity(study.truth, study.ratings >= 2).values[0, 1]
    assert found["metrics"]["sensitivity"]["readers"]["M1"]["R2"]["value"] == expected
    assert len(names_in(tmp_path / "out" / "figures")) == 4
    one, _ = documents(study, "--threshold", "2", "--metric", "specificity")
    assert list(one["metrics"]) == ["specificity"]


def test_binary_ratings_are_decisions():
    study = small_study()
    decisions = changed(study, study.ratings >= 2)
    found, _ = documents(decisions)
    assert list(found["metrics"]) == ["sensitivity", "specificity"]
    by_threshold, _ = documents(study, "--threshold", "2")
    for metric, of in found["metrics"].items():
        assert of == by_threshold["metrics"][metric]


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


def test_several_modalities_have_one_test_and_all_pairs():
    found, page = documents(small_study(modalities=4))
    of = found["metrics"]["auroc"]["populations"]["random"]
    assert of["equality"]["df1"] == 3
    assert len(of["differences"]) == 6
    assert page.splitlines()[2].startswith("AUROC of 4 modalities: F = ")


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
    ("modalities", "readers", "words"), [(2, 2, "13 %"), (2, 3, "8 %"), (3, 2, "8 %"), (2, 4, "")]
)
def test_few_random_readers_are_warned_of(modalities, readers, words):
    study = small_study(0, modalities, readers)
    notes = analyse(study, ReaderSettings()).notes
    expected = [f"{words} of studies."] if words else []
    assert [note.split("up to ")[-1] for note in notes] == expected
    for population in ("fixed_readers", "fixed_cases"):
        assert analyse(study, ReaderSettings(population=population)).notes == ()


def test_one_reader_is_analysed_alone_or_refused(tmp_path, capsys):
    study = small_study(readers=1)
    line = refused(capsys, tmp_path, study)
    assert "has one reader, 'R1', who says nothing about other readers" in line
    assert "--population fixed-readers" in line
    found = run(tmp_path, study, "--population", "fixed-readers")
    populations = found["metrics"]["auroc"]["populations"]
    assert populations["fixed_readers"]["equality"]["p"] > 0
    assert populations["random"]["equality"]["p"] is None
    page = (tmp_path / "out" / "report.md").read_text("utf-8")
    assert "There is one reader: nothing here is about other readers." in page
    assert "one reader says nothing about other readers" in page


def test_one_modality_has_intervals_only(tmp_path, capsys):
    study = small_study(modalities=1)
    line = refused(capsys, tmp_path, study, "--margin", "0.1", "--reference", "M1")
    assert "has one modality, 'M1'" in line
    found = run(tmp_path, study)
    of = found["metrics"]["auroc"]["populations"]["random"]
    assert (of["equality"]["p"], of["differences"]) == (None, [])
    page = (tmp_path / "out" / "report.md").read_text("utf-8")
    assert "There is one modality: there are intervals and no comparison." in page
    assert "Holm)" not in page.split("## Methods")[0]
    assert names_in(tmp_path / "out" / "figures") == ["roc.png"]


def test_constant_ratings_are_named_with_their_consequence():
    study = small_study()
    ratings = study.ratings.copy()
    ratings[1, 2] = 3
    found, page = documents(changed(study, ratings))
    assert found["notes"] == [
        "Reader R3 with modality M2 rates every case 3, which counts as perfectly certain: "
        "intervals that rest on it are too narrow."
    ]
    constant = found["metrics"]["auroc"]["readers"]["M2"]["R3"]
    assert (constant["value"], constant["low"]) == (0.5, None)
    assert constant["reason"] == "the metric has no variance"
    assert found["notes"][0] in page


def test_perfect_reader_is_named():
    study = small_study()
    ratings = study.ratings.copy()
    ratings[0, 0] = study.truth
    notes = analyse(changed(study, ratings), ReaderSettings()).notes
    assert notes == (
        "Reader R1 with modality M1 has no variance over the cases (AUROC 1.000), which counts as "
        "perfectly certain: intervals that rest on it are too narrow.",
    )


def test_ratings_the_wrong_way_round_are_noticed():
    study = small_study()
    notes = analyse(changed(study, -study.ratings), ReaderSettings()).notes
    assert [note.split(" is ")[0] for note in notes] == [
        "The mean AUROC of modality M1",
        "The mean AUROC of modality M2",
    ]


def test_equal_modalities_have_a_reason_instead_of_a_test():
    study = small_study()
    _, page = documents(changed(study, np.stack([study.ratings[0]] * 2)))
    assert "M1 minus M2: 0.0000, no test: the difference has no variance; random" in page
    assert "Comparison, random readers and random cases: the difference has no variance." in page


def test_hostile_names_are_escaped_and_undrawable_ones_refused(tmp_path):
    study = small_study()
    hostile = changed(
        study, study.ratings, readers=("<b>", "$x$", "a|b", "c\x1b"), modalities=("*", "_m_")
    )
    write_readers_report(hostile, tmp_path / "out")
    page = (tmp_path / "out" / "report.md").read_text("utf-8")
    assert "\\<b\\>" in page
    assert "\x1b" not in page
    assert "<b>" not in (tmp_path / "out" / "report.html").read_text("utf-8")
    with pytest.raises(ReaderStudyError, match="bytes that are not UTF-8; rename it"):
        write_readers_report(
            changed(study, study.ratings, readers=("\udcfc", "b", "c", "d")), tmp_path / "other"
        )
    assert names_in(tmp_path) == ["out"]


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


def test_figures_have_no_more_panels_than_a_page_holds():
    study = small_study(readers=30)
    drawn = figures.panels(figures.roc_figure(study))
    assert len([axes for axes in drawn if axes.axison]) == figures.MAX_PANELS == 24
    analysis = analyse(small_study(modalities=4), ReaderSettings())
    drawn = figures.panels(figures.differences_figure(analysis, analysis.metrics["auroc"]))
    assert [axes.get_xlabel() for axes in drawn][:2] == ["AUROC, M1 minus M2", "AUROC, M1 minus M3"]
    assert [len(axes.get_yticks()) for axes in drawn] == [5] * 6


def test_headline_of_each_metric_is_one_line():
    study = small_study()
    lines = headline(analyse(study, ReaderSettings(threshold=2.0)))
    assert [line.split(",")[0] for line in lines] == ["AUROC", "Sensitivity", "Specificity"]


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
