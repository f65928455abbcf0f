"""The reporting checklist: every published item, the files that answer it, further results."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from elbow_core.evaluation import write_predictions
from elbow_core.evaluation.folds import measure_fold, read_folds, write_folds
from elbow_core.evaluation.readers import __main__ as readers
from elbow_core.evaluation.readers.simulate import write_study
from elbow_core.evaluation.report import __main__ as command
from elbow_core.evaluation.report.checklist.items import CLAIM, TRIPOD_AI
from elbow_core.evaluation.report.checklist.places import PLACES, SECTIONS
from tests.support.commands import error_of, status_of
from tests.support.reader_studies import small_study
from tests.support.report_inputs import predictions


@pytest.fixture(scope="module")
def results(tmp_path_factory) -> Path:
    """Scores of two sets, an external report, a table of folds, and a report on readers."""
    folder = tmp_path_factory.mktemp("study")
    write_predictions(folder / "own.csv", predictions("convnext", 1))
    write_predictions(folder / "elsewhere.csv", predictions("convnext", 2, "e"))
    external = ["--internal", str(folder / "own.csv"), "--out", str(folder / "external")]
    assert status_of(command, str(folder / "elsewhere.csv"), *external, "--draws", "100") == 0
    (folder / "crossval").mkdir()
    folds = [
        measure_fold(1, fold, 60, predictions("convnext", fold, f"f{fold}")) for fold in (1, 2)
    ]
    write_folds(folder / "crossval/folds.csv", folds)
    write_study(folder / "study.csv", small_study())
    assert status_of(readers, str(folder / "study.csv"), "--out", str(folder / "readers")) == 0
    return folder


def written(results: Path, out: Path, *more: str) -> str:
    arguments = [
        str(results / "own.csv"),
        "--out",
        str(out),
        "--draws",
        "100",
        "--checklist",
        *more,
    ]
    assert status_of(command, *arguments) == 0
    return (out / "checklist.md").read_text()


def row_of(text: str, guideline: str, item: str) -> list[str]:
    """Return the cells of an item: number, request, answer, place."""
    section = text.split(f"## {guideline}")[1].split("\n## ")[0]
    (line,) = re.findall(rf"^\| {item} \|.*$", section, re.MULTILINE)
    return [cell.strip() for cell in line.strip("|").split(" | ")]


def test_every_published_item_is_listed_once():
    """CLAIM's 2024 update has 44 items; TRIPOD+AI has 27, in 52 parts."""
    assert [number for number, _, _ in CLAIM] == [str(number) for number in range(1, 45)]
    parts = [number for number, _, _ in TRIPOD_AI]
    assert len(parts) == len(set(parts)) == 52
    assert list(dict.fromkeys(int(part.rstrip("abcdefg")) for part in parts)) == list(range(1, 28))


def test_every_fact_that_an_item_asks_for_has_a_place():
    asked = {name for _, _, names in (*CLAIM, *TRIPOD_AI) for name in names}
    assert asked == PLACES.keys() | {"folds", "readers", "localisation"}
    assert SECTIONS.keys() <= PLACES.keys()


def test_further_results_fill_their_items_and_are_named(results, tmp_path):
    alone = written(results, tmp_path / "alone")
    assert row_of(alone, "CLAIM 2024", "33")[2:] == ["For the authors.", "–"]
    assert "44 items; the files address" in alone
    assert "27 items, in 52 parts; the files address" in alone
    folders = [str(results / name) for name in ("external", "crossval", "readers")]
    text = written(results, tmp_path / "with", "--evidence", *folders)
    metrics = json.loads((results / "external/metrics.json").read_text())
    external = metrics["external"]["convnext"]
    _, _, answer, place = row_of(text, "CLAIM 2024", "33")
    difference = external["differences"]["auroc"]
    assert f"AUC-ROC {external['external']['auroc']:.3f}" in answer
    assert f"difference {difference['estimate']:.3f} ({difference['low']:.3f} to" in answer
    assert "after recalibration on" in answer
    assert place == f"{results.name}/external/report.html: Internal and external"
    _, _, answer, place = row_of(text, "CLAIM 2024", "32")
    areas = [fold.metrics["auroc"] for fold in read_folds(results / "crossval")]
    assert f"mean {np.mean(areas):.3f}, standard deviation {np.std(areas, ddof=1):.3f}" in answer
    assert place == f"report: Results; {results.name}/crossval/folds.csv"
    _, _, answer, _ = row_of(text, "TRIPOD+AI", "23a")
    assert "Evaluation: 90 images of 30 patients: convnext AUC-ROC" in answer
    _, _, answer, place = row_of(text, "TRIPOD+AI", "12e")
    assert "4 readers, 25 cases, modalities" in answer
    assert place.endswith(f"{results.name}/readers/readers.json")
    assert str(results) not in text


def test_studies_and_subgroups_of_the_report_itself_are_facts(results, tmp_path):
    text = written(results, tmp_path / "out")
    metrics = json.loads((tmp_path / "out/metrics.json").read_text())
    join = metrics["models"]["convnext"]["studies"]["joins"]["maximum"]["auroc"]
    answer = row_of(text, "CLAIM 2024", "38")
    assert f"maximum: AUC-ROC {join['value']:.3f} ({join['low']:.3f} to" in answer[2]
    assert answer[3] == "report: Results; report: By study"


def test_folders_without_results_are_refused(results, tmp_path, capsys):
    arguments = (str(results / "own.csv"), "--out", str(tmp_path / "out"))
    line = error_of(capsys, command, *arguments, "--checklist", "--evidence", str(tmp_path))
    assert "holds no metrics.json, folds.csv, readers.json or localisation.json" in line
    (tmp_path / "metrics.json").write_text('{"schema": 99}')
    line = error_of(capsys, command, *arguments, "--checklist", "--evidence", str(tmp_path))
    assert "metrics.json: is no report of ours" in line
    assert status_of(command, *arguments, "--evidence", str(results / "crossval")) == 2
    assert "--evidence: is read for the checklist only" in capsys.readouterr().err
