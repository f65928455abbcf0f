"""Inputs and folders that the report refuses before it writes anything."""

import dataclasses
import os
from pathlib import Path

import numpy as np
import pytest

from elbow_core.dataset import write_archive
from elbow_core.errors import ConfigError, ManifestError, PredictionsError
from elbow_core.evaluation import Predictions, ReportInputs, ReportSettings, write_report
from elbow_core.evaluation.report import __main__ as report
from elbow_core.evaluation.report.__main__ import main, read_thresholds
from elbow_core.evaluation.report.folder import report_folder
from tests.support.commands import status_of
from tests.support.paths import names_in
from tests.support.report_inputs import predictions, write_inputs

FEW_DRAWS = ReportSettings(draws=100)


@pytest.fixture(scope="module")
def inputs(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("inputs")
    write_inputs(folder)
    return folder


def test_next_report_replaces_the_former_unless_it_fails(tmp_path):
    out = tmp_path / "out"
    write_report([predictions("convnext", 1)], out, settings=FEW_DRAWS)
    first = (out / "metrics.json").read_bytes()
    (out / ".DS_Store").touch()  # macOS has shown the folder
    write_report([predictions("convnext", 2)], out, settings=FEW_DRAWS)
    assert (out / "metrics.json").read_bytes() != first
    assert not (out / ".DS_Store").exists()
    before = (out / "metrics.json").read_bytes()
    archive = tmp_path / "archive"
    write_archive(archive, ["other"], [np.zeros((8, 8), np.uint8)], {"size": 8})
    with pytest.raises(PredictionsError, match="not in the archive"):
        write_report([predictions("convnext", 5)], out, ReportInputs(archive=archive), FEW_DRAWS)
    assert (out / "metrics.json").read_bytes() == before
    assert names_in(tmp_path) == ["archive", "out"]


def test_folder_with_other_files_is_not_touched(tmp_path):
    (tmp_path / "thesis.tex").write_text("mine")
    with pytest.raises(PredictionsError, match="holds other files"):
        write_report([predictions("convnext", 1)], tmp_path)
    assert (tmp_path / "thesis.tex").read_text() == "mine"


def put(path: Path) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text("mine")


def replace_by_link(path: Path) -> None:
    path.rename(path.with_name("moved.svg"))
    path.symlink_to("moved.svg")


@pytest.mark.parametrize(
    ("change", "name"),
    [
        (put, "thesis.tex"),
        (put, "report.docx"),
        (put, "data/thesis.tex"),
        (put, "figures/mine.png"),
        (put, "figures/worst_0_00.svg"),
        (put, "figures/roc.svg.bak"),
        (put, ".hidden"),
        (replace_by_link, "figures/roc.svg"),
    ],
)
def test_report_with_anything_else_in_its_folder_is_not_replaced(tmp_path, change, name):
    out = tmp_path / "out"
    write_report([predictions("convnext", 1)], out, settings=FEW_DRAWS)
    change(out / name)
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    with pytest.raises(PredictionsError, match="out: holds other files, such as ") as caught:
        write_report([predictions("convnext", 2)], out, settings=FEW_DRAWS)
    assert Path(name).parts[0] in str(caught.value)
    assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == before
    assert names_in(tmp_path) == ["out"]


def test_report_with_the_png_figures_of_earlier_versions_is_replaced(tmp_path):
    out = tmp_path / "out"
    write_report([predictions("convnext", 1)], out, settings=FEW_DRAWS)
    for path in (out / "figures").iterdir():
        path.rename(path.with_suffix(".png"))
    put(out / "figures/histogram.png")
    write_report([predictions("convnext", 2)], out, settings=FEW_DRAWS)
    assert {path.suffix for path in (out / "figures").iterdir()} == {".svg"}


@pytest.mark.parametrize(
    "content",
    ["{}", "[]", '{"schema": 1}', '{"accuracy": 0.9}', "mine", "[" * 100_000, b"\xff"],
    ids=["object", "list", "schema", "metrics", "text", "nested", "bytes"],
)
def test_foreign_metrics_json_does_not_make_a_folder_a_report(tmp_path, content):
    path = tmp_path / "metrics.json"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    before = path.read_bytes()
    with pytest.raises(PredictionsError, match=r"metrics\.json is missing or not that of a report"):
        write_report([predictions("convnext", 1)], tmp_path, settings=FEW_DRAWS)
    assert path.read_bytes() == before
    assert names_in(tmp_path) == ["metrics.json"]


def test_second_report_into_one_folder_is_refused_and_the_first_continues(tmp_path):
    out = tmp_path / "out"
    with report_folder(out) as folder:
        (folder / "metrics.json").write_text("{}")
        with pytest.raises(PredictionsError, match="out: is being written by another process"):
            write_report([predictions("convnext", 1)], out, settings=FEW_DRAWS)
    assert names_in(out) == ["metrics.json"]


def test_hostile_names_are_escaped_in_the_documents(tmp_path):
    with pytest.raises(PredictionsError, match=r"name 'a\\udcfc' .* with --names"):
        write_report([predictions("a\udcfc", 1)], tmp_path / "out", settings=FEW_DRAWS)
    hostile = predictions("convnext", 1)
    images = hostile.image_id.astype(object)
    images[:] = [f"{image}\udcff\x1b" for image in images]
    hostile = dataclasses.replace(hostile, image_id=images)
    out = tmp_path / "out"
    write_report([hostile], out, settings=FEW_DRAWS)
    for name in ("report.md", "report.html"):
        text = (out / name).read_text(encoding="utf-8")
        assert "\x1b" not in text
        assert "\\x1b" in text


def test_link_to_a_report_stands_for_it(tmp_path):
    write_report([predictions("convnext", 1)], tmp_path / "real", settings=FEW_DRAWS)
    before = (tmp_path / "real/metrics.json").read_bytes()
    (tmp_path / "out").symlink_to("real")
    write_report([predictions("convnext", 2)], tmp_path / "out", settings=FEW_DRAWS)
    assert (tmp_path / "out").is_symlink()
    assert (tmp_path / "real/metrics.json").read_bytes() != before


def test_validation_that_overlaps_the_test_is_refused(tmp_path):
    test, other = predictions("convnext", 1), predictions("convnext", 2)
    with pytest.raises(PredictionsError, match="image 't_000' is in the test set too"):
        write_report([test], tmp_path / "out", ReportInputs(validation=[other]))
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
        write_report([test], tmp_path / "out", ReportInputs(validation=[moved]))


@pytest.mark.parametrize(
    ("validation", "message"),
    [
        (["medgemma"], "no validation predictions of the model 'convnext'"),
        (["convnext", "medgemma"], "'medgemma', which is not reported"),
        (["convnext", "convnext"], "given twice"),
    ],
)
def test_validation_must_match_the_reported_models(validation, message, tmp_path):
    given = [predictions(model, 3, "v") for model in validation]
    with pytest.raises(PredictionsError, match=message):
        write_report([predictions("convnext", 1)], tmp_path / "out", ReportInputs(validation=given))


def test_validation_of_one_class_is_refused(tmp_path):
    one = predictions("convnext", 3, "v", n=1)
    with pytest.raises(PredictionsError, match="both classes"):
        write_report([predictions("convnext", 1)], tmp_path / "out", ReportInputs(validation=[one]))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "required"),
        (["a.csv"], "--out"),
        (["absent.csv", "--out", "out"], "absent.csv: cannot be read"),
        (["a.csv", "a.csv", "--out", "out"], "--names"),
        (["a.csv", "--out", "a.csv"], "a.csv: is a file"),
        (["a.csv", "--out", "a.csv/out"], "cannot be created"),
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
    assert status_of(report, *arguments) == 2
    assert message in capsys.readouterr().err.strip().splitlines()[-1]
    assert not (inputs / "out").exists()


@pytest.mark.parametrize(
    "thresholds",
    [
        '{"default": "0.5"}',
        '{"default": true}',
        '{"default": NaN}',
        '{"default": Infinity}',
        '{"default": 1.5}',
        '{"default": 0.5, "default": 0.4}',
        '{"youden": 0.5}',
        '{"default": 0.5, "a\\nb": 0.5}',
        '{"default": 0.5, "": 0.5}',
        '{"default": ' + "9" * 400 + "}",
        "[" * 100_000,
        "[0.5]",
    ],
)
def test_thresholds_that_are_no_numbers_from_0_to_1_are_refused(tmp_path, thresholds):
    path = tmp_path / "model.json"
    path.write_text(f'{{"thresholds": {thresholds}}}')
    with pytest.raises(PredictionsError, match=r"model\.json: has no thresholds") as refusal:
        read_thresholds(path)
    assert len(str(refusal.value).splitlines()) == 1
    path.write_text('{"thresholds": {"default": 0.5, "none": 1.0000000000000002}}')
    assert read_thresholds(path)["none"] > 1


def test_run_with_other_data_than_the_archive_is_refused(inputs, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run/run.json").write_text('{"data_fingerprint": "%s"}' % ("0" * 64))
    arguments = [str(inputs / "a.csv"), "--archive", str(inputs / "prepared"), "--checklist"]
    with pytest.raises(ConfigError, match=r"is not the data that .* began with"):
        main([*arguments, "--run", str(tmp_path / "run"), "--out", str(tmp_path / "out")])
    assert not (tmp_path / "out").exists()


def test_model_json_is_a_regular_file_of_limited_size(tmp_path):
    path = tmp_path / "model.json"
    os.mkfifo(path)
    with pytest.raises(PredictionsError, match=r"cannot be read: is not a regular file"):
        read_thresholds(path)
    with pytest.raises(PredictionsError, match=r"cannot be read: is not a regular file"):
        read_thresholds(Path("/dev/zero"))
    path.unlink()
    with path.open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(PredictionsError, match=r"cannot be read: has more than 1048576 bytes"):
        read_thresholds(path)


def test_rejected_without_its_header_is_refused(tmp_path):
    (tmp_path / "rejected.csv").write_text("x.png,truncated\n")
    with pytest.raises(ManifestError, match="path,reason"):
        write_report(
            [predictions("convnext", 1)],
            tmp_path / "o",
            ReportInputs(rejected=tmp_path / "rejected.csv"),
        )
