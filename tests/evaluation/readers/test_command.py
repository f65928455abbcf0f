"""The command: the report of a study and its files."""

import pytest

from elbow_core.errors import PredictionsError, ReaderStudyError
from elbow_core.evaluation.readers import ReaderSettings, figures, write_readers_report
from elbow_core.evaluation.readers import __main__ as command
from elbow_core.evaluation.readers.analysis import analyse
from elbow_core.evaluation.readers.sections import headline
from elbow_core.evaluation.statistics.multireader import POPULATIONS, analyse_readers, reader_auroc
from tests.support.commands import refusal_of
from tests.support.paths import names_in
from tests.support.reader_reports import run_command, with_ratings
from tests.support.reader_studies import small_study


def test_report_has_the_numbers_of_the_analysis(tmp_path, capsys):
    study = small_study()
    found = run_command(tmp_path, study, "--title", "Elbows")
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
    assert names_in(tmp_path / "out" / "figures") == ["differences_auroc.svg", "roc.svg"]
    html = (tmp_path / "out" / "report.html").read_text("utf-8")
    assert html.count("data:image/svg+xml;base64,") == 2


def test_same_study_gives_the_same_bytes(tmp_path):
    for name in ("a", "b"):
        write_readers_report(small_study(), tmp_path / name)
    for path in sorted((tmp_path / "a").rglob("*.*")):
        other = tmp_path / "b" / path.relative_to(tmp_path / "a")
        assert path.read_bytes() == other.read_bytes()


def test_next_report_replaces_the_former_and_nothing_else(tmp_path, capsys):
    study = small_study()
    first = run_command(tmp_path, study)
    assert run_command(tmp_path, study, "--covariance", "delong") != first
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


def test_hostile_names_are_escaped_and_undrawable_ones_refused(tmp_path):
    study = small_study()
    hostile = with_ratings(
        study, study.ratings, readers=("<b>", "$x$", "a|b", "c\x1b"), modalities=("*", "_m_")
    )
    write_readers_report(hostile, tmp_path / "out")
    page = (tmp_path / "out" / "report.md").read_text("utf-8")
    assert "\\<b\\>" in page
    assert "\x1b" not in page
    assert "<b>" not in (tmp_path / "out" / "report.html").read_text("utf-8")
    with pytest.raises(ReaderStudyError, match="bytes that are not UTF-8; rename it"):
        write_readers_report(
            with_ratings(study, study.ratings, readers=("\udcfc", "b", "c", "d")),
            tmp_path / "other",
        )
    assert names_in(tmp_path) == ["out"]


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
