"""The first screen of a report, and the names of its input files."""

import math

import pytest

from elbow_core.evaluation import ReportSettings, write_report
from elbow_core.evaluation.report.content import Comparison, Metric
from elbow_core.evaluation.report.content.input_files import run_name, shown_names
from elbow_core.evaluation.report.headline import headline
from elbow_core.evaluation.statistics.differences import Difference
from elbow_core.runs import RECORD
from tests.support.report_inputs import predictions


def first_lines(
    values: dict[str, float], *differences: Comparison, reason: str = ""
) -> tuple[str, ...]:
    areas = {
        name: Metric(value, value - 0.05, value + 0.05, "", reason)
        for name, value in values.items()
    }
    return headline(areas, differences)


def difference(
    first: str, second: str, ends: tuple[float, float, float], p: float, p_holm: float, **more: str
) -> Comparison:
    return Comparison(first, second, "auroc", Difference(*ends, p, "DeLong", **more), p_holm)


def test_best_model_comes_first_and_then_what_its_difference_to_the_next_means():
    assert first_lines(
        {"a": 0.8, "b": 0.9}, difference("a", "b", (-0.1, -0.15, -0.05), 0.001, 0.001)
    ) == (
        "Best model by AUC-ROC: b, 0.900. It is better than the next one, a.",
        "Difference of areas 0.100 (0.050 to 0.150), DeLong p 0.001.",
    )


def test_difference_whose_interval_contains_zero_is_not_shown():
    row = difference("b", "a", (0.1, -0.02, 0.22), 0.1, 0.1)
    assert first_lines({"a": 0.8, "b": 0.9}, row) == (
        "Best model by AUC-ROC: b, 0.900. It is not shown to be better than the next one, a: the "
        "interval of the difference contains 0.",
        "Difference of areas 0.100 (-0.020 to 0.220), DeLong p 0.100.",
    )


def test_difference_that_is_not_significant_among_all_pairs_is_not_shown():
    rows = [
        difference("b", "a", (0.1, 0.01, 0.19), 0.03, 0.09),
        difference("c", "a", (-0.1, -0.2, 0.0), 0.05, 0.09),
        difference("c", "b", (-0.2, -0.3, -0.1), 0.0001, 0.0003),
    ]
    answer, evidence = first_lines({"a": 0.8, "b": 0.9, "c": 0.7}, *rows)
    assert answer.endswith("better than the next one, a: the adjusted p is not below 0.05.")
    assert evidence == (
        "Difference of areas 0.100 (0.010 to 0.190), DeLong p 0.030, 0.090 with Holm's adjustment "
        "over 3 pairs."
    )


def test_models_that_rank_alike_have_no_interval_and_that_reason():
    nan = math.nan
    row = difference("a", "b", (0.0, nan, nan), 1.0, 1.0, reason="the scores rank alike")
    assert first_lines({"a": 0.9, "b": 0.9}, row) == (
        "Best model by AUC-ROC: a, 0.900. Whether it is better than the next one, b, is not known: "
        "the scores rank alike.",
        "Difference of areas 0.000, without an interval.",
    )


def test_one_model_has_its_area_alone():
    assert first_lines({"a": 0.8}) == ("a: AUC-ROC 0.800 (0.750 to 0.850).", "")


def test_one_class_has_no_best_model():
    assert first_lines({"a": math.nan, "b": math.nan}, reason="no normal image") == (
        "No model is the best one: AUC-ROC is undefined (no normal image).",
        "",
    )


def test_question_set_and_answer_stand_below_the_title_and_a_row_for_each_model_below_them(
    tmp_path,
):
    models = [predictions("medgemma", 2), predictions("convnext", 1)]
    content = write_report(models, tmp_path / "out", settings=ReportSettings(draws=100))
    text = (tmp_path / "out" / "report.md").read_text()
    best, other = sorted(content["models"], key=lambda name: -content["models"][name]["auroc"])
    area = content["models"][best]["auroc"]
    first = text.partition("\n## ")[0].split("\n\n")
    assert first[1] == (
        "How well do these 2 models tell injured images from normal ones? 90 images of 30 "
        "patients: 39 injured, 51 normal."
    )
    assert first[2].startswith(f"**Best model by AUC-ROC: {best}, {area:.3f}. ")
    header, _, *rows = first[4].splitlines()
    assert header == "| Model | AUC-ROC | Sensitivity | Specificity |"
    assert [row.split(" | ")[0] for row in rows] == [f"| {best}", f"| {other}"]
    page = (tmp_path / "out" / "report.html").read_text()
    assert "Best model by AUC-ROC" in page.partition("<main")[2].partition("<nav")[0]


@pytest.mark.parametrize(
    ("paths", "names"),
    [
        (["/a/b/x.csv"], ["x.csv"]),
        (["/a/b/x.csv", "/a/b/y.csv"], ["x.csv", "y.csv"]),
        (["/r/a/x.csv", "/r/b/x.csv", "/r/b/y.csv"], ["a/x.csv", "b/x.csv", "y.csv"]),
        (["/r/a/out/x.csv", "/r/b/out/x.csv"], ["a/out/x.csv", "b/out/x.csv"]),
        (["/r/x.csv", "/r/sub/x.csv"], ["x.csv", "sub/x.csv"]),
        (["/r/sub/x.csv", "/r/x.csv", "/r/q/sub/x.csv"], ["sub/x.csv", "x.csv", "q/sub/x.csv"]),
        (["/r/a/x.csv", "/r/a/x.csv"], ["x.csv", "x.csv"]),
        (["/r/a/x.csv", "/r/a/../a/x.csv", "/r/b/x.csv"], ["a/x.csv", "a/x.csv", "b/x.csv"]),
        (["/home/x.csv", "/data/x.csv"], ["home/x.csv", "data/x.csv"]),
        ([], []),
    ],
)
def test_files_are_named_by_the_shortest_path_that_tells_them_apart(paths, names):
    assert shown_names(paths) == names
    assert not any(name.startswith("/") for name in names)


def test_relative_paths_show_no_folder_above_them(tmp_path, monkeypatch):
    folder = tmp_path / "planted-hospital"
    (folder / "sub").mkdir(parents=True)
    monkeypatch.chdir(folder)
    assert shown_names(["x.csv", "sub/x.csv", "./sub/../x.csv"]) == ["x.csv", "sub/x.csv", "x.csv"]


def test_file_in_a_run_has_the_name_of_the_run_and_no_other_file_has_one(tmp_path):
    run = tmp_path / "convnext"
    run.mkdir()
    (run / RECORD).touch()
    assert run_name(run / "predictions_test.csv") == "convnext"
    assert run_name(tmp_path / "predictions_test.csv") == ""
