"""The content of a report over two models with every option."""

import itertools
import json
import re
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from elbow_core.evaluation import Predictions, ReportSettings, read_predictions, write_report
from elbow_core.evaluation.report.__main__ import main
from elbow_core.evaluation.report.rendering.markdown import escape
from elbow_core.evaluation.statistics import binary_metrics, choose_thresholds
from elbow_core.evaluation.statistics.differences import holm
from tests.support.paths import names_in
from tests.support.report_inputs import IMAGES, every_option, write_inputs


@pytest.fixture(scope="module")
def inputs(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("inputs")
    write_inputs(folder)
    return folder


@pytest.fixture(scope="module")
def report(inputs, tmp_path_factory) -> Path:
    """Write a report with every option by the command."""
    out = tmp_path_factory.mktemp("reports") / "report"
    options = [*every_option(inputs, out), "--title", "Elbows & <others>"]
    command = [sys.executable, "-m", "elbow_core.evaluation.report", *options]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    assert ran.stderr == ""
    assert str(out / "report.html") in ran.stdout.splitlines()
    return out


@pytest.fixture(scope="module")
def content(report) -> dict:
    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is not JSON")

    return json.loads((report / "metrics.json").read_text(), parse_constant=refuse)


def test_folder_holds_the_report_and_nothing_else(report):
    assert names_in(report) == [
        *("checklist.html", "checklist.md", "figures", "metrics.json", "report.html", "report.md")
    ]
    assert [path.name for path in report.parent.iterdir()] == ["report"]


def test_metrics_equal_those_of_the_statistics(content, inputs):
    assert list(content["models"]) == ["convnext", "medgemma", "mean of calibrated scores"]
    for file, model in (("a.csv", "convnext"), ("b.csv", "medgemma")):
        found = content["models"][model]
        given = read_predictions(inputs / file)
        for name, value in binary_metrics(given.label, given.score).items():
            assert found[name] == pytest.approx(value)
        assert found["intervals"]["auroc"]["low"] < found["auroc"]
        assert found["auroc"] < found["intervals"]["auroc"]["high"]


def test_operating_points_and_temperature_come_from_validation(content, inputs):
    validation = read_predictions(inputs / "va.csv")
    chosen = choose_thresholds(validation.label, validation.score)
    points = content["models"]["convnext"]["operating_points"]
    assert {name: point["threshold"] for name, point in points.items()} == {"default": 0.5} | chosen
    assert {point["chosen_on"] for point in points.values()} == {"fixed", "validation"}
    calibration = content["models"]["convnext"]["calibration"]
    assert calibration["temperature"] > 0
    assert calibration["after_temperature"]["slope"] is not None


def test_unparsed_answers_count_as_wrong(content, inputs):
    given = read_predictions(inputs / "b.csv")
    answers = content["models"]["medgemma"]["answers"]
    right = int(np.sum(given.prediction == given.label))
    assert answers["unparsed"] == 4
    assert answers["figures"]["accuracy"]["value"] == pytest.approx(right / IMAGES)
    assert sum(answers["confusion"].values()) == IMAGES
    assert "answers" not in content["models"]["convnext"]


def test_pairs_are_compared_by_four_metrics(content):
    metrics = ["auroc", "accuracy", "sensitivity", "specificity"]
    assert [row["figure"] for row in content["comparisons"]] == 3 * metrics
    pairs = [(row["first"], row["second"]) for row in content["comparisons"][::4]]
    assert pairs == list(itertools.combinations(content["models"], 2))
    assert all(0 <= row["p"] <= row["p_holm"] <= 1 for row in content["comparisons"])


def test_flow_counts_found_rejected_and_used(content):
    flow = content["flow"]
    assert (flow["found"], flow["rejected"], flow["used"]) == (IMAGES + 2, 2, IMAGES)
    assert flow["reasons"] == [{"reason": "truncated", "files": 2}]
    assert flow["patients_in_two_splits"] == 0
    assert (flow["corrected"], flow["corrected_used"]) == (1, 1)


def test_subgroups_are_those_of_the_manifest_and_of_its_further_columns(content):
    rows = content["models"]["convnext"]["subgroups"]
    assert list(dict.fromkeys(row["attribute"] for row in rows)) == [
        *("view", "hardware", "finding", "age", "sex"),
    ]
    ages = {row["group"]: row["images"] for row in rows if row["attribute"] == "age"}
    assert ages == {
        "0 to 1": 3,
        "2 to 5": 6,
        "6 to 11": 9,
        "12 to 17": 9,
        "18 to 39": 33,
        "40 to 64": 30,
    }
    sexes = {row["group"]: row["images"] for row in rows if row["attribute"] == "sex"}
    assert sexes == {"F": 45, "M": 36, "unknown": 9}
    (note,) = content["notes"]
    assert note.startswith("The attribute accession makes no subgroups: it has 90 values")
    views = [row for row in rows if row["attribute"] == "view"]
    assert sum(row["images"] for row in views) == IMAGES
    assert "unknown" in {row["group"] for row in views}


def test_gaps_between_subgroups_are_tested_with_one_adjustment_for_all(content, report):
    gaps = content["models"]["convnext"]["gaps"]
    assert [(row["attribute"], row["figure"]) for row in gaps] == [
        (attribute, metric)
        for attribute in ("view", "hardware", "finding", "age", "sex")
        for metric in ("auroc", "sensitivity", "specificity")
    ]
    tested = [row for row in gaps if row["p"] is not None]
    assert [row["p_holm"] for row in tested] == pytest.approx(holm([row["p"] for row in tested]))
    (view,) = [row for row in gaps if (row["attribute"], row["figure"]) == ("view", "auroc")]
    figures = {
        row["group"]: row["figures"]["auroc"]["value"]
        for row in content["models"]["convnext"]["subgroups"]
        if row["attribute"] == "view"
    }
    assert view["judged"] == list(figures)
    assert view["estimate"] == pytest.approx(max(figures.values()) - min(figures.values()))
    assert figures[view["higher"]] == max(figures.values())
    assert view["low"] < view["estimate"] < view["high"]
    # A group with fewer than ten patients of a class is named and not judged.
    (age,) = [row for row in gaps if (row["attribute"], row["figure"]) == ("age", "auroc")]
    assert {"0 to 1", "2 to 5", "6 to 11", "12 to 17"} <= set(age["not_judged"])
    assert not set(age["judged"]) & set(age["not_judged"])
    text = (report / "report.md").read_text()
    assert "Gaps between subgroups" in text
    assert "not tested against each other" not in text
    for row in tested:
        assert f"| {row['higher']} - {row['lower']} | " in text
    page = (report / "report.html").read_text()
    assert "Not judged: below 10 patients of a class" in page
    assert "0 to 1; 2 to 5; 6 to 11" in page


def test_ways_to_join_a_study_stand_side_by_side(content, report):
    text = (report / "report.md").read_text()
    section = text.split("## By study")[1].split("\n## ")[0]
    for model, found in content["models"].items():
        studies = found["studies"]
        assert list(studies["joins"]) == ["mean of logits", "maximum", "learnt"]
        assert 0 < studies["several"] < studies["studies"] < IMAGES
        assert studies["learnt"]["studies"] == studies["studies"]  # of its own validation set
        assert studies["joins"]["mean of logits"]["differences"] is None
        for name, join in studies["joins"].items():
            assert join["auroc"]["low"] < join["auroc"]["value"] < join["auroc"]["high"]
            assert f"| {model}: {name} | {join['auroc']['value']:.3f} (" in section
            point = join["operating_points"]["youden"]
            assert point["chosen_on"] == "validation"
            assert f"| {model}: {name}, Youden | {point['threshold']:.3f} |" in section
        difference = studies["joins"]["maximum"]["differences"]
        assert difference["auroc"]["test"] == "DeLong"
        assert difference["points"]["youden"]["sensitivity"]["p"] is not None


def test_worst_errors_are_farthest_from_their_label_and_their_images_are_shown(
    content, report, inputs
):
    given = read_predictions(inputs / "a.csv")
    wrong = (given.score >= 0.5) != (given.label == 1)
    distance = np.abs(given.score - given.label)
    worst = content["models"]["convnext"]["worst"]
    assert worst[0]["image_id"] == given.image_id[np.argmax(np.where(wrong, distance, 0))]
    assert len(worst) == min(12, int(wrong.sum()))
    for rank, error in enumerate(worst):
        image = cv2.imread(str(report / f"figures/worst_0_{rank:02d}.png"), cv2.IMREAD_UNCHANGED)
        assert image is not None
        assert image.shape == (32, 32)
        assert (image == int(error["image_id"].split("_")[1])).all()


def test_markdown_tables_are_rectangular_and_pictures_exist(report):
    text = (report / "report.md").read_text()
    assert text.startswith("# Elbows & \\<others\\>\n")
    for table in re.findall(r"(?:^\|.*\|\n)+", text, re.MULTILINE):
        assert len({re.sub(r"\\\|", "", line).count("|") for line in table.splitlines()}) == 1
    pictures = re.findall(r"!\[[^\n]*?\]\((figures/[^)]+)\)", text)
    assert len(pictures) > 8
    assert {str(path.relative_to(report)) for path in (report / "figures").iterdir()} == set(
        pictures
    )


def test_markup_in_a_name_is_escaped():
    assert escape("a|b_c*d\n<e>") == r"a\|b\_c\*d \<e\>"


def test_checklist_marks_items_that_only_the_author_can_answer(report):
    text = (report / "checklist.md").read_text()
    assert "BMJ 385:e078378" in text
    assert "e240300" in text
    assert "| 18a | Funding | For the authors. | – |" in text
    assert re.search(
        r"\| 9 \| Preprocessing \| Preprocessing: size 32\. \| model/model.json \|", text
    )
    assert "Started from first, second." in text
    assert re.search(r"\| 23a \|[^|]*\| convnext: AUC-ROC 0\.\d{3} \(", text)
    assert re.search(r"\| 20 \|[^|]*\| Patients: no patient is in two partitions\.", text)


def test_report_does_not_reveal_the_folder_of_its_inputs(report, inputs):
    for path in report.glob("*.*"):
        assert str(inputs) not in path.read_text()


def test_equal_inputs_give_equal_bytes(report, inputs, tmp_path):
    assert main([*every_option(inputs, tmp_path / "again"), "--title", "Elbows & <others>"]) == 0
    for path in report.rglob("*.*"):
        assert (tmp_path / "again" / path.relative_to(report)).read_bytes() == path.read_bytes(), (
            path
        )


def test_smallest_report_has_two_images_and_explains_missing_parts(tmp_path):
    bare = Predictions(
        image_id=np.array(["a", "b"]),
        patient_id=np.array(["", ""]),
        study_id=np.array(["", ""]),
        label=np.array([1, 1]),
        score=np.array([0.2, 0.3]),
        prediction=np.array([0, 0]),
        model="$x_1$",
    )
    content = write_report([bare], tmp_path / "out", settings=ReportSettings(draws=100))
    assert content["models"]["$x_1$"]["auroc"] is None
    text = (tmp_path / "out" / "report.md").read_text()
    assert "images count as independent" in text
    assert "no normal image" in text
    assert "ROC" not in text.split("## Methods")[0].replace("AUC-ROC", "")


def test_thresholds_of_the_released_model_precede_validation(inputs, tmp_path):
    arguments = [
        *(str(inputs / "a.csv"), "--out", str(tmp_path / "out"), "--draws", "100"),
        *("--validation", str(inputs / "va.csv")),
        *("--model-json", str(inputs / "run" / "model" / "model.json")),
    ]
    assert main(arguments) == 0
    found = json.loads((tmp_path / "out" / "metrics.json").read_text())["models"]["convnext"]
    points = {name: point["threshold"] for name, point in found["operating_points"].items()}
    assert points == {"default": 0.5, "youden": 0.4}
    assert found["calibration"]["temperature"] is not None


def test_one_model_twice_is_reported_under_two_names(inputs, tmp_path):
    files = [str(inputs / "a.csv")] * 2
    assert main([*files, "--names", "x", "y", "--out", str(tmp_path / "o"), "--draws", "100"]) == 0
    content = json.loads((tmp_path / "o" / "metrics.json").read_text())
    assert list(content["models"]) == ["x", "y"]
    assert content["comparisons"][0]["estimate"] == 0
    assert content["comparisons"][0]["p"] == 1
