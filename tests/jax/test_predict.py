import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml

from elbow_core import cli
from elbow_core.evaluation import read_predictions
from elbow_core.prepare import __main__ as prepare
from elbow_core.runs import lock_run
from elbow_core.tables import read_csv_table
from elbow_jax import evaluate, predict, scoring, train
from tests.support.dicom_files import dicom
from tests.support.paths import ROOT
from tests.support.planted_words import places_with, words_of_this_machine

SIZE = 32


def write_images(folder: Path) -> None:
    """Write 60 PNGs, in a sub-folder for each class."""
    rng = np.random.default_rng(0)
    for number in range(60):
        label = ("normal", "injury")[number % 2]
        image = rng.integers(0, 120, (50, 40), dtype=np.uint8)
        image[10:30, 10:30] += np.uint8(100 * (number % 2))
        (folder / label).mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(folder / label / f"p{number:02d}.png"), image)


def run(module, *arguments: str) -> int:
    """Run a command as the shell does; return its exit status."""
    original_argv, sys.argv = sys.argv, ["command", *arguments]
    try:
        with pytest.raises(SystemExit) as exit_info:
            cli.run(module.main)
    finally:
        sys.argv = original_argv
    assert isinstance(exit_info.value.code, int)
    return exit_info.value.code


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A folder of images, prepared, trained on and evaluated by the project's commands."""
    folder = tmp_path_factory.mktemp("chain")
    write_images(folder / "images")
    data = {
        "source": {"kind": "folder", "classes": {"normal": 0, "injury": 1}},
        "root": str(folder / "images"),
        "out": str(folder / "data"),
        "preprocess": {"size": SIZE, "sigma": 1.5},
        "split": {"method": "fractions", "train": 0.6, "validation": 0.2, "test": 0.2},
        "workers": 0,
    }
    config = {
        "run": str(folder / "run"),
        "data": {"prepared": str(folder / "data"), "copies": 1},
        "model": {"backbone": "mobilenetv3_large", "variant": "small"},
        "optimizer": {"learning_rate": 0.05, "momentum": 0.8, "warm_restarts": {"t_0": 2}},
        "batch_size": 8,
        "epochs": 2,
    }
    (folder / "data.yaml").write_text(yaml.safe_dump(data))
    (folder / "train.yaml").write_text(yaml.safe_dump(config))
    assert run(prepare, "--config", str(folder / "data.yaml")) == 0
    assert run(train, "--config", str(folder / "train.yaml")) == 0
    assert run(evaluate, "--run", str(folder / "run"), "--batch-size", "8") == 0
    return folder


def test_evaluation_covers_the_test_split_once(folder):
    predictions = read_predictions(folder / "run/predictions_test.csv")
    with (folder / "data/manifest.csv").open() as file:
        expected = [row["image_id"] for row in csv.DictReader(file) if row["split"] == "test"]
    assert list(predictions.image_id) == expected
    assert predictions.model == "run"
    np.testing.assert_array_equal(predictions.prediction, predictions.score >= 0.5)


def test_report_holds_the_metrics_of_the_predictions(folder):
    predictions = read_predictions(folder / "run/predictions_test.csv")
    content = json.loads((folder / "run/report_test/metrics.json").read_text())
    accuracy = np.mean(predictions.prediction == predictions.label)
    assert content["models"]["run"]["accuracy"] == pytest.approx(accuracy)
    assert (folder / "run/report_test/report.md").stat().st_size > 0


def test_prediction_of_files_equals_evaluation_of_the_archive(folder, tmp_path):
    predictions = read_predictions(folder / "run/predictions_test.csv")
    with (folder / "data/manifest.csv").open() as file:
        path_of = {row["image_id"]: row["path"] for row in csv.DictReader(file)}
    images = [str(folder / "images" / path_of[name]) for name in predictions.image_id]
    out = tmp_path / "scores.csv"
    model = str(folder / "run/model")
    status = run(predict, "--model", model, *images, "--out", str(out), "--batch-size", "8")
    assert status == 0
    with out.open() as file:
        rows = list(csv.DictReader(file))
    assert [row["path"] for row in rows] == images
    np.testing.assert_allclose([float(row["score"]) for row in rows], predictions.score, atol=1e-6)


def test_scores_do_not_depend_on_the_batch_size(folder, capsys):
    tables = []
    for batch_size in ("8", "3"):
        arguments = ["--model", str(folder / "run/model"), "--batch-size", batch_size]
        assert run(predict, *arguments, str(folder / "images/normal")) == 0
        rows = list(csv.DictReader(capsys.readouterr().out.splitlines()))
        tables.append([float(row["score"]) for row in rows])
    assert len(tables[0]) == 30
    np.testing.assert_allclose(tables[0], tables[1], atol=1e-5)


def test_unreadable_file_is_named_and_all_others_are_scored(folder, tmp_path, capsys):
    shutil.copy(folder / "images/normal/p00.png", tmp_path / "a.png")
    (tmp_path / "b.png").write_text("not an image")
    status = run(predict, "--model", str(folder / "run/model"), str(tmp_path))
    printed = capsys.readouterr()
    assert status == 2
    assert "b.png" in printed.err
    assert len(printed.out.splitlines()) == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--model", "{run}/nowhere", "{images}"], "no released model here"),
        (["--model", "{run}/model", "{run}/nowhere.png"], "no such file or folder"),
        (["--model", "{run}/model", "{run}/model"], "holds no file that ends in"),
        (["--model", "{run}/model", "{images}", "--threshold", "best"], "'best' is not one of"),
        (["--model", "{run}/model", "{images}", "--threshold", "1.5"], "a number from 0 to 1"),
        (["--model", "{run}/model", "{images}", "--threshold", "nan"], "a number from 0 to 1"),
        (["--model", "{run}/model", "{images}", "--threshold", "0_5"], "a number from 0 to 1"),
        (["--model", "{run}/model", "{images}", "--threshold", "0,5"], "a number from 0 to 1"),
        (["--model", "{run}/model", "{images}", "--threshold=-0.1"], "a number from 0 to 1"),
        (["--model", "{run}/model", "{images}", "--batch-size", "0"], "not at least 1"),
        (["--model", "{run}/model", "{images}", "--out", "{run}"], "is a folder; name a file"),
        (["--model", "{run}/model", "{images}", "--out", "{run}/no/x.csv"], "does not exist"),
        (["--model", "{run}/model", "{images}", "--out", "/proc/x.csv"], "cannot be written"),
    ],
)
def test_wrong_use_of_predict_is_one_line(folder, capsys, arguments, message):
    folders = {"run": folder / "run", "images": folder / "images"}
    assert run(predict, *(argument.format(**folders) for argument in arguments)) == 2
    error = capsys.readouterr().err
    assert len(error.splitlines()) == 1
    assert message in error


def scores_of(folder: Path, capsys, *arguments: str) -> tuple[list[dict[str, str]], list[str]]:
    """Predict with the run's model; return the rows of the table and the lines of messages."""
    assert run(predict, "--model", str(folder / "run/model"), *arguments) == 0
    printed = capsys.readouterr()
    return list(csv.DictReader(printed.out.splitlines())), printed.err.splitlines()


def test_threshold_is_a_name_or_a_number(folder, capsys):
    images = str(folder / "images/injury")
    rows, _ = scores_of(folder, capsys, images)
    median = float(np.median([float(row["score"]) for row in rows])) + 5e-7  # between two scores
    for threshold in (median, 0, 1):
        rows, _ = scores_of(folder, capsys, images, "--threshold", f"{threshold:.7f}")
        labels = {row["label"] for row in rows if float(row["score"]) >= threshold}
        assert labels <= {"injury"}
        assert {row["label"] for row in rows if float(row["score"]) < threshold} <= {"normal"}
    names = json.loads((folder / "run/model/model.json").read_text())["thresholds"]
    named, _ = scores_of(folder, capsys, images, "--threshold", "youden")
    numbered, _ = scores_of(folder, capsys, images, "--threshold", repr(names["youden"]))
    assert named == numbered


def test_entries_of_a_folder_that_are_passed_over_are_named(folder, tmp_path, capsys):
    shutil.copy(folder / "images/normal/p00.png", tmp_path / "a.png")
    (tmp_path / "IM000001").write_bytes(dicom())
    (tmp_path / "more").symlink_to(folder / "images/injury")
    for name in ("._a.png", "DICOMDIR.txt", "1.txt", "2.txt", "3.txt"):
        (tmp_path / name).write_text("text")
    rows, lines = scores_of(folder, capsys, str(tmp_path), str(folder / "images/normal/p02.png"))
    assert [Path(row["path"]).name for row in rows] == ["IM000001", "a.png", "p02.png"]
    texts = f"{tmp_path}/1.txt, {tmp_path}/2.txt, {tmp_path}/3.txt and 1 more"
    assert sorted(lines) == [
        f"passed over 1 hidden files and folders: {tmp_path}/._a.png",
        f"passed over 1 links to folders, which are not followed: {tmp_path}/more",
        "passed over 4 files that are not DICOM and do not end in .png, .jpg, .jpeg, .dcm: "
        + texts,
    ]


def test_entries_that_may_be_radiographs_give_the_status_2_beside_the_scores(
    folder, tmp_path, capsys
):
    shutil.copy(folder / "images/normal/p00.png", tmp_path / "a.png")
    (tmp_path / "b.png").symlink_to("gone.png")
    (tmp_path / "c.tif").write_bytes(b"II*\0" + bytes(100))
    shutil.copy(folder / "images/normal/p02.png", tmp_path / "d.png_old")
    (tmp_path / "e.txt").write_text("BM: a text")
    assert run(predict, "--model", str(folder / "run/model"), str(tmp_path)) == 2
    printed = capsys.readouterr()
    assert len(printed.out.splitlines()) == 2
    assert printed.err.splitlines()[-1] == "error: 3 entries passed over may be radiographs"
    assert f"an image's: {tmp_path}/c.tif, {tmp_path}/d.png_old\n" in printed.err


def test_hostile_names_are_escaped_in_the_table_and_on_the_terminal(
    folder, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    names = ["=cmd()|A.png", "-b.png", "c\n\x1b[31m.png", "d,=1.png"]
    for name in names:
        shutil.copy(folder / "images/normal/p00.png", name)
    arguments = ["--model", str(folder / "run/model"), *(f"./{name}" for name in names[1:])]
    assert run(predict, *arguments, names[0]) == 0
    printed = capsys.readouterr().out
    assert [line.partition(",0.")[0] for line in printed.splitlines()[1:]] == [
        "'-b.png",
        "'c\\n\\x1b[31m.png",
        '"\'d,\\x3d1.png"',
        "'=cmd()|A.png",
    ]
    Path("table.csv").write_text(printed)
    found = [row.cells["path"] for row in read_csv_table(Path("table.csv")).rows]
    assert found == [*names[1:], names[0]]
    Path(names[2]).write_text("not an image")
    assert run(predict, *arguments) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: c\\n\\x1b[31m.png: ")


def test_file_that_is_no_table_of_scores_is_not_overwritten(folder, tmp_path, capsys):
    (tmp_path / "thesis.tex").write_text("mine")
    arguments = ["--model", str(folder / "run/model"), str(folder / "images/normal")]
    assert run(predict, *arguments, "--out", str(tmp_path / "thesis.tex")) == 2
    assert "exists and was not written by this command" in capsys.readouterr().err
    assert (tmp_path / "thesis.tex").read_text() == "mine"
    for _ in range(2):
        assert run(predict, *arguments, "--out", str(tmp_path / "scores.csv")) == 0


def test_outputs_of_an_evaluation_are_checked_before_the_scoring(
    folder, tmp_path, monkeypatch, capsys
):
    shutil.copytree(folder / "run", tmp_path / "run")
    (tmp_path / "run/report_test/thesis.tex").write_text("mine")
    monkeypatch.setattr(scoring, "predict_split", None)
    arguments = ["--run", str(tmp_path / "run")]
    assert run(evaluate, *arguments) == 2
    assert "holds other files, such as thesis.tex" in capsys.readouterr().err
    (tmp_path / "run/report_test/thesis.tex").unlink()
    (tmp_path / "run/predictions_test.csv").write_text("mine")
    assert run(evaluate, *arguments) == 2
    assert "predictions_test.csv: exists and was not written" in capsys.readouterr().err


def test_folder_of_images_alone_prints_no_message(folder, capsys):
    assert scores_of(folder, capsys, str(folder / "images/normal"))[1] == []


def test_output_is_checked_before_the_first_image_is_decoded(folder, monkeypatch, capsys):
    monkeypatch.setattr(predict, "read_radiograph", None)
    arguments = ["--model", str(folder / "run/model"), str(folder / "images")]
    assert run(predict, *arguments, "--out", "/proc/scores.csv") == 2
    assert "cannot be written" in capsys.readouterr().err


def test_device_is_written_and_not_replaced(folder, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    arguments = ["--model", str(folder / "run/model"), str(folder / "images/normal/p00.png")]
    assert run(predict, *arguments, "--out", str(tmp_path / "pipe")) == 0
    assert os.read(reader, 1000).decode().splitlines()[0] == "path,score,label"
    os.close(reader)
    assert (tmp_path / "pipe").is_fifo()


def test_name_that_is_not_utf8_is_scored_and_written_with_an_escape(folder, tmp_path, capfdbinary):
    name = os.fsencode(tmp_path) + b"/M\xfcller.png"
    shutil.copy(os.fsencode(folder / "images/normal/p00.png"), name)
    out = tmp_path / "out.csv"
    model = str(folder / "run/model")
    for given in (os.fsdecode(name), str(tmp_path)):
        assert run(predict, "--model", model, given, "--out", str(out)) == 0
        escaped = b"'" + name.replace(b"\xfc", b"\\xfc")
        assert out.read_bytes().splitlines()[1].startswith(escaped + b",0.")
        (row,) = read_csv_table(out).rows
        assert os.fsencode(row.cells["path"]) == name
        out.unlink()
    linked = tmp_path / os.fsdecode(b"mod\xe8le")
    linked.symlink_to(folder / "run/model")
    assert run(predict, "--model", str(linked), os.fsdecode(name)) == 2
    assert b"mod\\xe8le" in capfdbinary.readouterr().err


def test_evaluation_from_another_directory_and_of_moved_data(folder, tmp_path, monkeypatch, capsys):
    shutil.copytree(folder / "run", tmp_path / "run")
    shutil.copytree(folder / "data", tmp_path / "moved")
    places = json.loads((tmp_path / "run/local.json").read_text())
    assert places["starts"][0]["data"] == str(folder / "data")
    config = (tmp_path / "run/config.yaml").read_text()
    text = config.replace(str(folder / "data"), "data")
    assert text != config
    (tmp_path / "run/config.yaml").write_text(text)  # as of a run begun in `folder` with data: data
    places["starts"][0]["working_directory"] = str(folder)
    (tmp_path / "run/local.json").write_text(json.dumps(places))
    monkeypatch.chdir(tmp_path)
    arguments = ["--run", "run", "--batch-size", "8"]
    assert run(evaluate, *arguments) == 0
    table = Path("run/predictions_test.csv").read_bytes()
    assert table == (folder / "run/predictions_test.csv").read_bytes()

    places["starts"][0]["working_directory"] = str(tmp_path / "gone")
    Path("run/local.json").write_text(json.dumps(places))
    capsys.readouterr()
    assert run(evaluate, *arguments) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert f"{tmp_path}/gone/data: the data of run are not there; give" in line
    Path("run/predictions_test.csv").unlink()
    assert run(evaluate, *arguments, "--data", "moved") == 0
    assert Path("run/predictions_test.csv").read_bytes() == table

    manifest = Path("moved/manifest.csv").read_text()
    Path("moved/manifest.csv").write_text(manifest.replace(",train,", ",test,", 1))
    capsys.readouterr()
    assert run(evaluate, *arguments, "--data", "moved") == 2
    assert "moved: is not the data that run began with" in capsys.readouterr().err


def test_shared_outputs_hold_nothing_of_the_machine(folder):
    shared = ("model", "report_test", "predictions_test.csv", "metrics.jsonl", "run.json")
    words = words_of_this_machine(folder)
    assert places_with(words, [folder / "run" / name for name in shared]) == []
    assert places_with(words, [folder / "run/local.json"])  # they are found where they are


def test_evaluation_of_a_run_into_which_another_process_writes_is_refused(folder, capsys):
    before = sorted((folder / "run").rglob("*"))
    with lock_run(folder / "run"):
        capsys.readouterr()
        assert run(evaluate, "--run", str(folder / "run")) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "another process writes into this run" in line
    assert sorted((folder / "run").rglob("*")) == before


@pytest.mark.slow
@pytest.mark.parametrize("second", ["evaluate", "train"])
@pytest.mark.parametrize("first", ["evaluate", "train"])
def test_two_commands_on_one_run(folder, tmp_path, first, second):
    """Real processes: the first keeps the run, the second ends with status 2 and one line."""
    shutil.copytree(folder / "run", tmp_path / "run")
    directory = str(tmp_path / "run")
    lengthen = ["--config", str(folder / "train.yaml"), "--run", directory, "--resume"]
    commands = {
        "evaluate": ["elbow_jax.evaluate", "--run", directory, "--split", "train"],
        "train": ["elbow_jax.train", *lengthen, "--epochs", "4"],
    }
    processes = []
    for name in (first, second):
        process = subprocess.Popen(
            [sys.executable, "-m", *commands[name]],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        processes.append(process)
        if len(processes) == 1:
            deadline = time.monotonic() + 120
            while not (tmp_path / "run/.lock").exists() and time.monotonic() < deadline:
                time.sleep(0.002)
            process.send_signal(signal.SIGSTOP)
    _, written = processes[1].communicate(timeout=300)
    processes[0].send_signal(signal.SIGCONT)
    assert processes[1].returncode == 2, written
    lines = [line for line in written.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1
    assert "another process writes into this run" in lines[0]
    _, written = processes[0].communicate(timeout=300)
    assert processes[0].returncode == 0, written
    assert not (tmp_path / "run/.lock").exists()


def damage_weights(model: Path) -> None:
    content = bytearray((model / "weights.safetensors").read_bytes())
    content[-1] ^= 1
    (model / "weights.safetensors").write_bytes(content)


def damage_card(model: Path) -> None:
    (model / "model.json").write_text("{")


def set_newer_schema(model: Path) -> None:
    card = json.loads((model / "model.json").read_text())
    (model / "model.json").write_text(json.dumps(card | {"schema_version": 99}))


def remove_weights(model: Path) -> None:
    (model / "weights.safetensors").unlink()


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (damage_weights, "SHA-256 differs"),
        (damage_card, "is damaged"),
        (set_newer_schema, "schema version 99 is newer"),
        (remove_weights, "is damaged"),
    ],
)
def test_damaged_model_is_refused(folder, tmp_path, capsys, damage, message):
    model = tmp_path / "model"
    shutil.copytree(folder / "run/model", model)
    damage(model)
    assert run(predict, "--model", str(model), str(folder / "images")) == 2
    assert message in capsys.readouterr().err


def test_evaluating_on_data_of_other_settings_is_refused(folder, tmp_path, capsys):
    shutil.copytree(folder / "run", tmp_path / "run")
    data = yaml.safe_load((folder / "data.yaml").read_text())
    data |= {"out": str(tmp_path / "data"), "preprocess": {"size": SIZE, "sigma": 2.0}}
    (tmp_path / "data.yaml").write_text(yaml.safe_dump(data))
    assert run(prepare, "--config", str(tmp_path / "data.yaml")) == 0
    config = yaml.safe_load((tmp_path / "run/config.yaml").read_text())
    config["data"]["prepared"] = str(tmp_path / "data")
    (tmp_path / "run/config.yaml").write_text(yaml.safe_dump(config))
    capsys.readouterr()
    assert run(evaluate, "--run", str(tmp_path / "run")) == 2
    assert "the model needs" in capsys.readouterr().err


def test_evaluating_a_folder_that_is_not_a_run_is_refused(tmp_path, capsys):
    assert run(evaluate, "--run", str(tmp_path)) == 2
    assert "is not a run" in capsys.readouterr().err
