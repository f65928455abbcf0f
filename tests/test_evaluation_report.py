"""A whole report over two models: what it holds, what it refuses, how a browser shows it."""

import itertools
import json
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import cv2
import numpy as np
import pytest

from elbow_core.archive import write_archive
from elbow_core.errors import ManifestError, PredictionsError
from elbow_core.evaluation.markdown import escape
from elbow_core.evaluation.metrics import binary_metrics
from elbow_core.evaluation.predictions import (
    UNPARSED,
    Predictions,
    read_predictions,
    write_predictions,
)
from elbow_core.evaluation.report import main, write_report
from elbow_core.evaluation.thresholds import choose_thresholds
from elbow_core.manifest import ManifestRow, write_manifest

IMAGES = 90
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")


def scores_of(seed: int, labels: np.ndarray, skill: float) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return 1 / (1 + np.exp(-skill * rng.normal(2 * labels - 1, 1)))


def predictions(
    model: str, seed: int, prefix: str = "t", n: int = IMAGES, answers: bool = False
) -> Predictions:
    labels = (np.arange(n) % 7 < 3).astype(np.int64)
    score = scores_of(seed, labels, 2.0 if model == "convnext" else 1.2)
    prediction = (score >= 0.5).astype(np.int64)
    answer = None
    if answers:
        prediction[:4] = UNPARSED
        words = np.array(["No injury", "Fracture or dislocation", "<b>I | cannot</b> say"])
        answer = words[prediction]
    return Predictions(
        image_id=np.array([f"{prefix}_{k:03d}" for k in range(n)]),
        patient_id=np.array([f"{prefix}p{k // 3}" for k in range(n)]),
        study_id=np.array([f"study{k % 2}" for k in range(n)]),
        label=labels,
        score=score,
        prediction=prediction,
        model=model,
        answer=answer,
    )


@pytest.fixture(scope="module")
def inputs(tmp_path_factory) -> Path:
    """Prediction files, a prepared folder and a run, as the commands leave them."""
    folder = tmp_path_factory.mktemp("inputs")
    test = predictions("convnext", 1)
    write_predictions(folder / "a.csv", test)
    write_predictions(folder / "b.csv", predictions("medgemma", 2, answers=True))
    write_predictions(folder / "va.csv", predictions("convnext", 3, "v"))
    write_predictions(folder / "vb.csv", predictions("medgemma", 4, "v", answers=True))
    rows = [
        ManifestRow(
            image_id=image_id,
            path=f"{image_id}.png",
            label=label,
            split="test",
            patient_id=patient,
            study_id=study,
            view=("ap", "lateral", "")[k % 3],
            body_part="elbow",
            finding=("fracture" if label else "treated, hardware" if k % 2 else "normal"),
            source="synthetic",
            sha256=f"{k:064x}",
            height=8,
            width=8,
        )
        for k, (image_id, label, patient, study) in enumerate(
            zip(
                test.image_id.tolist(),
                test.label.tolist(),
                test.patient_id.tolist(),
                test.study_id.tolist(),
                strict=True,
            )
        )
    ]
    prepared = folder / "prepared"
    images = [np.full((32, 32), k, np.uint8) for k in range(IMAGES)]
    write_archive(prepared, test.image_id.tolist(), images, {"size": 32})
    write_manifest(prepared / "manifest.csv", rows)
    (prepared / "rejected.csv").write_text("path,reason\nx.png,truncated\ny.png,truncated\n")
    model = folder / "run" / "model"
    model.mkdir(parents=True)
    thresholds = {"default": 0.5, "youden": 0.4}
    card = {"thresholds": thresholds, "weights_sha256": "0" * 64, "preprocessing": {"size": 32}}
    (model / "model.json").write_text(json.dumps(card))
    (folder / "run" / "config.yaml").write_text("epochs: 3\nseed: 0\nbatch_size: 32\n")
    return folder


def options_with_everything(inputs: Path, out: Path) -> list[str]:
    prepared = inputs / "prepared"
    paths = {
        "--validation": [inputs / "va.csv", inputs / "vb.csv"],
        "--manifest": [prepared / "manifest.csv"],
        "--rejected": [prepared / "rejected.csv"],
        "--archive": [prepared],
        "--run": [inputs / "run"],
        "--out": [out],
    }
    named = [str(part) for flag, values in paths.items() for part in (flag, *values)]
    return [str(inputs / "a.csv"), str(inputs / "b.csv"), *named, "--checklist", "--draws", "100"]


@pytest.fixture(scope="module")
def report(inputs, tmp_path_factory) -> Path:
    """A report with every option, made by the command itself."""
    out = tmp_path_factory.mktemp("reports") / "report"
    options = [*options_with_everything(inputs, out), "--title", "Elbows & <others>"]
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
    assert sorted(path.name for path in report.iterdir()) == [
        *("checklist.html", "checklist.md", "figures", "metrics.json", "report.html", "report.md")
    ]
    assert [path.name for path in report.parent.iterdir()] == ["report"]


def test_figures_are_those_of_the_metrics(content, inputs):
    assert list(content["models"]) == ["convnext", "medgemma"]
    for file, found in zip(("a.csv", "b.csv"), content["models"].values(), strict=True):
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


def test_pairs_are_compared_by_four_figures(content):
    assert [row["figure"] for row in content["comparisons"]] == [
        *("auroc", "accuracy", "sensitivity", "specificity")
    ]
    assert all(0 <= row["p"] <= row["p_holm"] <= 1 for row in content["comparisons"])


def test_flow_counts_found_rejected_and_used(content):
    flow = content["flow"]
    assert (flow["found"], flow["rejected"], flow["used"]) == (IMAGES + 2, 2, IMAGES)
    assert flow["reasons"] == [{"reason": "truncated", "files": 2}]
    assert flow["patients_in_two_splits"] == 0


def test_subgroups_by_view_hardware_and_finding(content):
    rows = content["models"]["convnext"]["subgroups"]
    assert {row["attribute"] for row in rows} == {"view", "hardware", "finding"}
    views = [row for row in rows if row["attribute"] == "view"]
    assert sum(row["images"] for row in views) == IMAGES
    assert "unknown" in {row["group"] for row in views}


def test_worst_errors_are_the_farthest_wrong_ones_and_their_images_are_shown(
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


def test_markdown_tables_are_rectangular_and_its_pictures_exist(report):
    text = (report / "report.md").read_text()
    assert text.startswith("# Elbows & \\<others\\>\n")
    for table in re.findall(r"(?:^\|.*\|\n)+", text, re.MULTILINE):
        assert len({re.sub(r"\\\|", "", line).count("|") for line in table.splitlines()}) == 1
    pictures = re.findall(r"!\[[^\n]*?\]\((figures/[^)]+)\)", text)
    assert len(pictures) > 8
    assert {str(path.relative_to(report)) for path in (report / "figures").iterdir()} == set(
        pictures
    )


def test_markup_in_a_name_stays_text():
    assert escape("a|b_c*d\n<e>") == r"a\|b\_c\*d \<e\>"


class Outline(HTMLParser):
    """Collects what a screen reader steers by."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "link", "img", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag) -> None:
        assert self.open.pop() == tag

    def all(self, *names: str) -> list[dict[str, str | None]]:
        return [attributes for tag, attributes in self.tags if tag in names]


@pytest.fixture(scope="module", params=["report.html", "checklist.html"])
def page(request, report) -> Outline:
    return Outline((report / request.param).read_text())


def test_page_is_well_formed_english_and_fits_a_phone(page):
    assert page.open == []
    assert page.all("html") == [{"lang": "en"}]
    assert {"name": "viewport", "content": "width=device-width, initial-scale=1"} in page.all(
        "meta"
    )
    assert len(page.all("main")) == len(page.all("title")) == 1


def test_page_loads_nothing_from_elsewhere_and_runs_no_script(page):
    assert page.all("script", "iframe", "object") == []
    for tag, attributes in page.tags:
        for name, value in attributes.items():
            assert not name.startswith("on"), (tag, name)
            if name in ("src", "href"):
                assert value is not None
                assert value.startswith(("data:", "#"))


def test_headings_step_down_by_one_and_links_lead_to_them(page):
    levels = [int(tag[1]) for tag, _ in page.tags if re.fullmatch(r"h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert {(link["href"] or "")[1:] for link in page.all("a")} == set(ids)


def test_every_picture_has_words_and_every_table_header_a_scope(page):
    assert all(image["alt"] for image in page.all("img"))
    assert all(header["scope"] in ("row", "col") for header in page.all("th"))
    assert len(page.all("caption")) == len(page.all("table")) > 0


def browse(page: Path, *options: str) -> tuple[str, str]:
    """What a real browser makes of a page: its document, and what it logs."""
    assert CHROMIUM is not None
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr"]
    home = f"--user-data-dir={page.parent.parent / 'browser'}"
    command = [CHROMIUM, *flags, home, *options, page.as_uri()]
    ran = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    return ran.stdout, ran.stderr


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")
def test_browser_shows_the_page_without_an_error(report, tmp_path):
    shot = tmp_path / "shot.png"
    size = ["--window-size=390,2400", "--hide-scrollbars", f"--screenshot={shot}"]
    _, log = browse(report / "report.html", *size)
    assert "CONSOLE" not in log
    image = cv2.imread(str(shot))
    assert image is not None
    assert image.shape[1] == 390
    # Text and figures are there, and nothing runs off the phone's right edge.
    assert (image < 128).any(axis=2).mean() > 0.01
    assert (image[:, -8:] > 200).all()


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")
def test_browser_would_say_so_if_a_page_had_an_error(tmp_path):
    """What the test above looks for does appear on a page that is wrong."""
    folder = tmp_path / "pages"
    folder.mkdir()
    (folder / "wrong.html").write_text("<script>console.error('wrong')</script>")
    _, log = browse(folder / "wrong.html", "--dump-dom")
    assert "CONSOLE" in log


def test_checklist_marks_what_only_the_author_knows(report):
    text = (report / "checklist.md").read_text()
    assert "BMJ 385:e078378" in text
    assert "e240300" in text
    assert "| 18a | Funding | For the author. |" in text
    assert re.search(r"\| 9 \| Preprocessing \| Preprocessing: size 32\. \|", text)
    assert re.search(r"\| 23a \|[^|]*\| convnext: AUC-ROC 0\.\d{3} \(", text)
    assert re.search(r"\| 20 \|[^|]*\| Patients: no patient is in two partitions\.", text)


def test_nothing_tells_where_the_files_lay(report, inputs):
    for path in report.glob("*.*"):
        assert str(inputs) not in path.read_text()


def test_same_input_gives_the_same_bytes(report, inputs, tmp_path):
    assert (
        main([*options_with_everything(inputs, tmp_path / "again"), "--title", "Elbows & <others>"])
        == 0
    )
    for path in report.rglob("*.*"):
        assert (tmp_path / "again" / path.relative_to(report)).read_bytes() == path.read_bytes(), (
            path
        )


def test_least_report_is_made_of_two_images_and_says_what_is_missing(tmp_path):
    bare = Predictions(
        image_id=np.array(["a", "b"]),
        patient_id=np.array(["", ""]),
        study_id=np.array(["", ""]),
        label=np.array([1, 1]),
        score=np.array([0.2, 0.3]),
        prediction=np.array([0, 0]),
        model="$x_1$",
    )
    content = write_report([bare], tmp_path / "out", draws=100)
    assert content["models"]["$x_1$"]["auroc"] is None
    text = (tmp_path / "out" / "report.md").read_text()
    assert "images count as independent" in text
    assert "no normal image" in text
    assert "ROC" not in text.split("## Methods")[0].replace("AUC-ROC", "")


def test_report_is_replaced_by_the_next_but_not_by_one_that_fails(tmp_path):
    out = tmp_path / "out"
    write_report([predictions("convnext", 1)], out, draws=100)
    (out / "leftover").write_text("of the old report")
    write_report([predictions("convnext", 2)], out, draws=100)
    assert not (out / "leftover").exists()
    before = (out / "metrics.json").read_bytes()
    archive = tmp_path / "archive"
    write_archive(archive, ["other"], [np.zeros((8, 8), np.uint8)], {"size": 8})
    with pytest.raises(PredictionsError, match="not in the archive"):
        write_report([predictions("convnext", 5)], out, archive=archive, draws=100)
    assert (out / "metrics.json").read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["archive", "out"]


def test_folder_of_something_else_is_left_alone(tmp_path):
    (tmp_path / "thesis.tex").write_text("mine")
    with pytest.raises(PredictionsError, match="holds other files"):
        write_report([predictions("convnext", 1)], tmp_path)
    assert (tmp_path / "thesis.tex").read_text() == "mine"


def test_thresholds_of_the_released_model_go_before_validation(inputs, tmp_path):
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


def test_validation_that_overlaps_the_test_is_refused(tmp_path):
    test, other = predictions("convnext", 1), predictions("convnext", 2)
    with pytest.raises(PredictionsError, match="image 't_000' is in the test set too"):
        write_report([test], tmp_path / "out", validation=[other])
    moved = Predictions(
        image_id=np.char.add("v", other.image_id),
        patient_id=other.patient_id,
        study_id=other.study_id,
        label=other.label,
        score=other.score,
        prediction=other.prediction,
        model="convnext",
    )
    with pytest.raises(PredictionsError, match="patient 'tp0' is in the test set too"):
        write_report([test], tmp_path / "out", validation=[moved])


@pytest.mark.parametrize(
    ("validation", "message"),
    [
        (["medgemma"], "no validation predictions of the model 'convnext'"),
        (["convnext", "medgemma"], "'medgemma', which is not reported"),
        (["convnext", "convnext"], "given twice"),
    ],
)
def test_validation_belongs_to_the_models_reported(validation, message, tmp_path):
    given = [predictions(model, 3, "v") for model in validation]
    with pytest.raises(PredictionsError, match=message):
        write_report([predictions("convnext", 1)], tmp_path / "out", validation=given)


def test_validation_of_one_class_is_refused(tmp_path):
    one = predictions("convnext", 3, "v", n=1)
    with pytest.raises(PredictionsError, match="both classes"):
        write_report([predictions("convnext", 1)], tmp_path / "out", validation=[one])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "required"),
        (["a.csv"], "--out"),
        (["absent.csv", "--out", "out"], "absent.csv: cannot be read"),
        (["a.csv", "a.csv", "--out", "out"], "--names"),
        (["a.csv", "--out", "a.csv"], "a.csv: is a file"),
        (["a.csv", "--out", "a.csv/out"], "cannot be made"),
        (["a.csv", "--out", "out", "--draws", "5"], "--draws"),
        (["a.csv", "--out", "out", "--seed", "-5"], "--seed"),
        (["a.csv", "--out", "out", "--names", "x", "y"], "--names: 2 given for 1"),
        (["a.csv", "b.csv", "--out", "out", "--validation", "va.csv"], "--validation: 1 given"),
        (["a.csv", "--out", "out", "--run", "run"], "--checklist"),
        (["a.csv", "--out", "out", "--checklist", "--run", "prepared"], "prepared: holds no"),
        (["a.csv", "--out", "out", "--model-json", "a.csv"], "a.csv: has no thresholds"),
        (["a.csv", "--out", "out", "--manifest", "a.csv"], "a.csv:1"),
        (["a.csv", "--out", "out", "--rejected", "a.csv"], "path,reason"),
        (["a.csv", "--out", "out", "--archive", "run"], "run"),
    ],
)
def test_usage_error_is_one_clear_line_with_status_2(
    inputs, monkeypatch, capsys, arguments, message
):
    monkeypatch.chdir(inputs)
    from elbow_core import cli

    monkeypatch.setattr(sys, "argv", ["report", *arguments])
    with pytest.raises(SystemExit) as stopped:
        cli.run(main)
    assert stopped.value.code == 2
    last = capsys.readouterr().err.strip().splitlines()[-1]
    assert message in last
    assert not (inputs / "out").exists()


def test_one_model_twice_is_reported_under_two_names(inputs, tmp_path):
    files = [str(inputs / "a.csv")] * 2
    assert main([*files, "--names", "x", "y", "--out", str(tmp_path / "o"), "--draws", "100"]) == 0
    content = json.loads((tmp_path / "o" / "metrics.json").read_text())
    assert list(content["models"]) == ["x", "y"]
    assert content["comparisons"][0]["estimate"] == 0
    assert content["comparisons"][0]["p"] == 1


def test_rejected_without_its_header_is_refused(tmp_path):
    (tmp_path / "rejected.csv").write_text("x.png,truncated\n")
    with pytest.raises(ManifestError, match="path,reason"):
        write_report(
            [predictions("convnext", 1)], tmp_path / "o", rejected=tmp_path / "rejected.csv"
        )
