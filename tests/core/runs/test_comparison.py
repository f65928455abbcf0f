"""The table of runs: what differs between them, their metrics, and folders that are no runs."""

import csv
import json
import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from elbow_core.runs import __main__ as command
from elbow_core.runs.comparison import compare, find_runs
from tests.support.commands import refusal_of, status_of
from tests.support.pages import Outline

NETWORK: dict[str, Any] = {
    "run": "runs/a",
    "seed": 0,
    "data": {"prepared": "data/elbow", "copies": 2},
    "model": {"backbone": "convnext_tiny", "cbam": True},
    "init": None,
    "optimizer": {"kind": "sgd", "learning_rate": 0.001, "momentum": 0.8},
}
LANGUAGE: dict[str, Any] = {
    "run": "runs/v",
    "seed": 0,
    "data": {"prepared": "data/elbow", "copies": 2},
    "model": {"architecture": "medgemma"},
    "lora": {"rank": 16},
}
EPOCHS = [
    {"step": 4, "epoch": 0.5, "loss": 0.7, "learning_rate": 1e-3},
    {"step": 8, "epoch": 1.0, "validation": {"auroc": 0.9, "accuracy": 0.8, "loss": 0.4}},
    {"step": 16, "epoch": 2.0, "validation": {"auroc": 0.85, "accuracy": 0.9, "loss": 0.3}},
]


def write_run(path: Path, config: dict[str, Any], rows: Any = EPOCHS, **changes: Any) -> Path:
    path.mkdir(parents=True)
    changed = {**config, "run": str(path), **changes}
    (path / "config.yaml").write_text(yaml.safe_dump(changed, sort_keys=False))
    (path / "run.json").write_text(json.dumps({"began": "2026-01-02T03:04:05+00:00"}))
    (path / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def write_test_report(run: Path, **models: Any) -> None:
    (run / "report_test").mkdir()
    (run / "report_test" / "metrics.json").write_text(json.dumps({"schema": 3, "models": models}))


def model(auroc: float | None) -> dict[str, Any]:
    interval = {"low": 0.8, "high": 0.95, "method": "bootstrap", "reason": ""}
    return {"auroc": auroc, "accuracy": 0.75, "tp": 3, "intervals": {"auroc": interval}}


@pytest.fixture
def runs(tmp_path) -> Path:
    """Two runs of networks, one of a vision-language model, and a folder of something else."""
    first = write_run(tmp_path / "runs/cnn/a", NETWORK)
    (first / "model").mkdir()
    write_test_report(first, a=model(0.91))
    optimizer = {"kind": "sgd", "learning_rate": 0.002, "momentum": 0.8}
    write_run(tmp_path / "runs/cnn/b", NETWORK, EPOCHS[:2], optimizer=optimizer, init="runs/a")
    losses = [
        {"step": 5, "epoch": 1.0, "validation": {"loss": 0.2}},
        {"step": 10, "epoch": 2.0, "validation": {"loss": 0.6}},
    ]
    (write_run(tmp_path / "runs/v", LANGUAGE, losses) / "adapter").mkdir()
    (tmp_path / "runs/notes").mkdir()
    return tmp_path / "runs"


def as_dicts(folder: Path, *names: str) -> list[dict[str, Any]]:
    table = compare(find_runs([folder / name for name in names] or [folder]).runs)
    return [dict(zip(table.columns, row, strict=True)) for row in table.rows]


def test_columns_are_the_settings_that_differ_and_the_metrics_that_exist(runs):
    table = compare(find_runs([runs / "cnn"]).runs)
    assert table.columns == (
        *("run", "state", "step", "began", "init", "optimizer.learning_rate"),
        *("validation.auroc", "validation.accuracy", "validation.loss", "validation.epoch"),
        *("test.auroc", "test.auroc.low", "test.auroc.high", "test.accuracy"),
    )
    assert [row[4:6] for row in table.rows] == [("null", 0.001), ("runs/a", 0.002)]


def test_metrics_are_those_of_the_released_epoch_and_of_the_test_report(runs):
    first, second, language = as_dicts(runs)
    assert first["validation.auroc"] == 0.9
    assert (first["validation.loss"], first["validation.epoch"], first["step"]) == (0.4, 1.0, 16)
    assert (first["test.auroc"], first["test.auroc.low"], first["test.accuracy"]) == (
        0.91,
        0.8,
        0.75,
    )
    assert (second["test.auroc"], second["state"]) == (None, "unfinished")
    assert (language["validation.loss"], language["validation.epoch"]) == (0.2, 1.0)
    assert (language["validation.auroc"], language["state"]) == (None, "finished")


def test_average_of_the_weights_counts_where_it_is_better(tmp_path):
    rows = [{"step": 8, "epoch": 1.0, "validation": {"auroc": 0.7}}]
    rows[0]["validation_average"] = {"auroc": 0.8}
    write_run(tmp_path / "runs/a", NETWORK, rows)
    assert as_dicts(tmp_path / "runs")[0]["validation.auroc"] == 0.8


def test_sections_that_a_kind_of_run_lacks_are_compared_within_the_others(runs):
    (first, *_, language) = as_dicts(runs)
    assert "lora.rank" not in first
    assert "data.copies" not in first
    assert (first["model.backbone"], first["model.architecture"]) == ("convnext_tiny", None)
    assert language["model.architecture"] == "medgemma"


def test_report_on_several_models_gives_the_run_its_own_row(tmp_path):
    run = write_run(tmp_path / "runs/a", NETWORK)
    write_test_report(run, other=model(0.5), a=model(0.7))
    assert as_dicts(tmp_path / "runs")[0]["test.auroc"] == 0.7


def test_undefined_metric_is_an_empty_cell(tmp_path):
    write_test_report(write_run(tmp_path / "runs/a", NETWORK), a=model(None))
    (row,) = as_dicts(tmp_path / "runs")
    assert "test.auroc" not in row
    assert row["test.accuracy"] == 0.75


@pytest.mark.parametrize(("descending", "order"), [(False, [0.85, 0.9]), (True, [0.9, 0.85])])
def test_rows_are_sorted_with_empty_cells_last(runs, descending, order):
    write_run(runs / "c", NETWORK, EPOCHS[2:])
    found = compare(find_runs([runs / "v", runs / "c", runs / "cnn/a"]).runs)
    rows = found.sorted_by("validation.auroc", descending).rows
    index = found.columns.index("validation.auroc")
    assert [row[index] for row in rows] == [*order, None]


def damage(run: Path, kind: str) -> None:
    if kind == "config":
        (run / "config.yaml").write_text("a: [1")
    elif kind == "record":
        (run / "run.json").unlink()
    elif kind == "pipe":
        (run / "config.yaml").unlink()
        os.mkfifo(run / "config.yaml")
    elif kind == "log":
        (run / "metrics.jsonl").write_text('{"step": 1}\n{"step": "x"}\n')
    else:
        write_test_report(run, one=model(0.5), two=model(0.5))


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("config", "config.yaml: is not a configuration"),
        ("record", "run.json: cannot be read"),
        ("pipe", "config.yaml: cannot be read"),
    ],
)
def test_damaged_run_is_named_and_counted_and_the_others_are_listed(runs, capsys, kind, message):
    damage(runs / "cnn/a", kind)
    assert status_of(command, str(runs)) == 0
    listed, errors = capsys.readouterr()
    assert f"{runs}/cnn/a/{message}" in errors
    assert f"{runs}/notes: holds no run" in errors
    assert "left out: 1 damaged runs, 0 damaged files of runs, 1 folders without a run" in errors
    assert [line.split()[0] for line in listed.splitlines()[1:]] == [f"{runs}/cnn/b", f"{runs}/v"]


@pytest.mark.parametrize(
    ("kind", "message"),
    [("log", "metrics.jsonl: line 2 is not a row"), ("report", "is a report on several models")],
)
def test_damaged_metrics_leave_empty_cells_and_a_line(runs, kind, message):
    damage(runs / "cnn/b", kind)
    found = find_runs([runs])
    (summary,) = [run for run in found.runs if run.path.name == "b"]
    assert message in summary.problems[0]
    assert (len(found.runs), found.damaged) == (3, ())


def test_half_a_last_line_of_a_killed_run_is_left_out(runs):
    with (runs / "cnn/b/metrics.jsonl").open("a") as file:
        file.write('{"step": 99, "val')
    found = find_runs([runs / "cnn/b"]).runs[0]
    assert (found.step, found.problems) == (8, ())


def test_folder_without_runs_is_refused(tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    assert "holds no run" in refusal_of(capsys, command, str(tmp_path / "empty"))
    assert "cannot be read" in refusal_of(capsys, command, str(tmp_path / "absent"))


def test_unknown_column_is_refused_with_the_known_ones(runs, capsys):
    error = refusal_of(capsys, command, str(runs / "cnn"), "--sort", "auroc")
    assert "auroc: is not a column; there are run, state, step" in error
    assert "validation.auroc" in error


def test_csv_and_page_hold_the_same_rows_and_replace_only_their_own_kind(runs, tmp_path, capsys):
    table, page = tmp_path / "runs.csv", tmp_path / "runs.html"
    arguments = (str(runs), "--csv", str(table), "--html", str(page), "--sort", "step")
    assert status_of(command, *arguments) == 0
    assert status_of(command, *arguments, "--descending") == 0
    rows = list(csv.DictReader(table.read_text().splitlines()))
    assert [row["step"] for row in rows] == ["16", "10", "8"]
    assert rows[0]["test.auroc"] == "0.91"
    outline = Outline(page.read_text())
    assert outline.open == []
    assert len(outline.all("tr")) == 4
    assert f"{runs}/notes: holds no run" in page.read_text()
    page.write_text("<!DOCTYPE html>\nmine")
    assert "was not written by this command" in refusal_of(capsys, command, *arguments)
    assert page.read_text() == "<!DOCTYPE html>\nmine"


def test_names_from_a_configuration_cannot_change_the_terminal_or_the_page(runs, capsys, tmp_path):
    write_run(runs / "evil", NETWORK, init="\x1b[31m<script>=1+1")
    page = tmp_path / "runs.html"
    assert status_of(command, str(runs), "--html", str(page)) == 0
    assert "\x1b" not in capsys.readouterr().out
    assert "<script" not in page.read_text()
