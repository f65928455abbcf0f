"""The command predict: a released model and new images to scores."""

import csv
import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from elbow_core.evaluation import read_predictions
from elbow_core.tables import read_csv_table
from elbow_jax import predict
from elbow_jax.scoring import freeze_abstention
from elbow_jax.streaming import reading
from tests.support.abstention_data import record
from tests.support.commands import status_of
from tests.support.dicom_files import dicom

HEADER = "path,score,label,operating_point,gate,reason"


def test_prediction_of_files_equals_evaluation_of_the_archive(workspace, tmp_path):
    predictions = read_predictions(workspace / "run/predictions_test.csv")
    with (workspace / "data/manifest.csv").open() as file:
        path_of = {row["image_id"]: row["path"] for row in csv.DictReader(file)}
    images = [str(workspace / "images" / path_of[name]) for name in predictions.image_id]
    out = tmp_path / "scores.csv"
    model = str(workspace / "run/model")
    status = status_of(predict, "--model", model, *images, "--out", str(out), "--batch-size", "8")
    assert status == 0
    with out.open() as file:
        rows = list(csv.DictReader(file))
    assert [row["path"] for row in rows] == images
    np.testing.assert_allclose([float(row["score"]) for row in rows], predictions.score, atol=1e-6)


def test_scores_do_not_depend_on_the_batch_size(workspace, capsys):
    tables = []
    for batch_size in ("8", "3"):
        arguments = ["--model", str(workspace / "run/model"), "--batch-size", batch_size]
        assert status_of(predict, *arguments, str(workspace / "images/normal")) == 0
        rows = list(csv.DictReader(capsys.readouterr().out.splitlines()))
        tables.append([float(row["score"]) for row in rows])
    assert len(tables[0]) == 30
    np.testing.assert_allclose(tables[0], tables[1], atol=1e-5)


def test_unreadable_file_is_named_and_all_others_are_scored(workspace, tmp_path, capsys):
    shutil.copy(workspace / "images/normal/p00.png", tmp_path / "a.png")
    (tmp_path / "b.png").write_text("not an image")
    status = status_of(predict, "--model", str(workspace / "run/model"), str(tmp_path))
    printed = capsys.readouterr()
    assert status == 2
    reason = "is not an image: neither PNG, JPEG nor DICOM"
    assert printed.err == f"error: {tmp_path}/b.png: {reason}\n"
    scored, rejected = csv.DictReader(printed.out.splitlines())
    assert (scored["operating_point"], scored["gate"], scored["reason"]) == ("default", "", "")
    assert list(rejected.values()) == [f"{tmp_path}/b.png", "", "", "", "", reason]


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
        (["--model", "{run}/model", "{images}", "--workers", "-1"], "not at least 0"),
        (["--model", "{run}/model", "@{run}/nowhere.txt"], "nowhere.txt: cannot be read"),
        (["--model", "{run}/model", "{images}", "--out", "{run}"], "is a folder; name a file"),
        (["--model", "{run}/model", "{images}", "--out", "{run}/no/x.csv"], "does not exist"),
        (["--model", "{run}/model", "{images}", "--out", "/proc/x.csv"], "cannot be written"),
    ],
)
def test_wrong_use_of_predict_is_one_line(workspace, capsys, arguments, message):
    folders = {"run": workspace / "run", "images": workspace / "images"}
    assert status_of(predict, *(argument.format(**folders) for argument in arguments)) == 2
    error = capsys.readouterr().err
    assert len(error.splitlines()) == 1
    assert message in error


def scores_of(workspace: Path, capsys, *arguments: str) -> tuple[list[dict[str, str]], list[str]]:
    """Predict with the run's model; return the rows of the table and the lines of messages."""
    assert status_of(predict, "--model", str(workspace / "run/model"), *arguments) == 0
    printed = capsys.readouterr()
    return list(csv.DictReader(printed.out.splitlines())), printed.err.splitlines()


def test_threshold_is_a_name_or_a_number(workspace, capsys):
    images = str(workspace / "images/injury")
    rows, _ = scores_of(workspace, capsys, images)
    median = float(np.median([float(row["score"]) for row in rows])) + 5e-7  # between two scores
    for threshold in (median, 0, 1):
        rows, _ = scores_of(workspace, capsys, images, "--threshold", f"{threshold:.7f}")
        labels = {row["label"] for row in rows if float(row["score"]) >= threshold}
        assert labels <= {"injury"}
        assert {row["label"] for row in rows if float(row["score"]) < threshold} <= {"normal"}
    names = json.loads((workspace / "run/model/model.json").read_text())["thresholds"]
    named, _ = scores_of(workspace, capsys, images, "--threshold", "youden")
    numbered, _ = scores_of(workspace, capsys, images, "--threshold", repr(names["youden"]))
    assert {row.pop("operating_point") for row in named} == {"youden"}
    assert {row.pop("operating_point") for row in numbered} == {repr(names["youden"])}
    assert named == numbered


def test_frozen_thresholds_give_three_answers_and_say_how_many_images_are_left(
    workspace, tmp_path, capsys
):
    images, model = str(workspace / "images"), tmp_path / "model"
    shutil.copytree(workspace / "run/model", model)
    plain, _ = scores_of(workspace, capsys, images)
    scores = np.sort([float(row["score"]) for row in plain])
    below, injury_from = float(np.quantile(scores, 0.3)), float(np.quantile(scores, 0.8))
    freeze_abstention(model, record(below, injury_from))
    arguments = ("--model", str(model), images)
    assert status_of(predict, *arguments) == 0
    printed = capsys.readouterr()
    rows = list(csv.DictReader(printed.out.splitlines()))
    assert [row["score"] for row in rows] == [row["score"] for row in plain]
    assert {row["operating_point"] for row in rows} == {"abstention"}
    answers = [row["label"] for row in rows]
    for answer, score in zip(answers, (float(row["score"]) for row in rows), strict=True):
        if min(abs(score - below), abs(score - injury_from)) > 1e-6:
            sure = "injury" if score >= injury_from else "normal"
            assert answer == (sure if score >= injury_from or score < below else "uncertain")
    assert set(answers) == {"normal", "injury", "uncertain"}
    assert printed.err.splitlines()[-1] == (
        f"left to the reader: {answers.count('uncertain')} of {len(rows)} images; promised for "
        "patients like those of validation, with confidence 0.95: at most 0.05 injured of those "
        "called normal, at most 0.1 normal of those called injured"
    )
    # A threshold that is asked for leaves nothing to the reader.
    assert status_of(predict, *arguments, "--threshold", "default") == 0
    assert list(csv.DictReader(capsys.readouterr().out.splitlines())) == plain
    freeze_abstention(model, record(None, None))
    assert status_of(predict, *arguments) == 0
    rows = list(csv.DictReader(capsys.readouterr().out.splitlines()))
    assert {row["label"] for row in rows} == {"uncertain"}


def test_entries_of_a_folder_that_are_passed_over_are_named(workspace, tmp_path, capsys):
    shutil.copy(workspace / "images/normal/p00.png", tmp_path / "a.png")
    (tmp_path / "IM000001").write_bytes(dicom())
    (tmp_path / "more").symlink_to(workspace / "images/injury")
    for name in ("._a.png", "DICOMDIR.txt", "1.txt", "2.txt", "3.txt"):
        (tmp_path / name).write_text("text")
    rows, lines = scores_of(
        workspace, capsys, str(tmp_path), str(workspace / "images/normal/p02.png")
    )
    assert [Path(row["path"]).name for row in rows] == ["IM000001", "a.png", "p02.png"]
    texts = f"{tmp_path}/1.txt, {tmp_path}/2.txt, {tmp_path}/3.txt and 1 more"
    assert sorted(lines) == [
        f"passed over 1 hidden files and folders: {tmp_path}/._a.png",
        f"passed over 1 links to folders, which are not followed: {tmp_path}/more",
        "passed over 4 files that are not DICOM and do not end in .png, .jpg, .jpeg, .dcm: "
        + texts,
    ]


def test_entries_that_may_be_radiographs_give_the_status_2_beside_the_scores(
    workspace, tmp_path, capsys
):
    shutil.copy(workspace / "images/normal/p00.png", tmp_path / "a.png")
    (tmp_path / "b.png").symlink_to("gone.png")
    (tmp_path / "c.tif").write_bytes(b"II*\0" + bytes(100))
    shutil.copy(workspace / "images/normal/p02.png", tmp_path / "d.png_old")
    (tmp_path / "e.txt").write_text("BM: a text")
    assert status_of(predict, "--model", str(workspace / "run/model"), str(tmp_path)) == 2
    printed = capsys.readouterr()
    assert len(printed.out.splitlines()) == 2
    assert printed.err.splitlines()[-1] == "error: 3 entries passed over may be radiographs"
    assert f"an image's: {tmp_path}/c.tif, {tmp_path}/d.png_old\n" in printed.err


def test_hostile_names_are_escaped_in_the_table_and_on_the_terminal(
    workspace, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    names = ["=cmd()|A.png", "-b.png", "c\n\x1b[31m.png", "d,=1.png"]
    for name in names:
        shutil.copy(workspace / "images/normal/p00.png", name)
    arguments = ["--model", str(workspace / "run/model"), *(f"./{name}" for name in names[1:])]
    assert status_of(predict, *arguments, names[0]) == 0
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
    assert status_of(predict, *arguments) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: c\\n\\x1b[31m.png: ")


def test_file_that_is_no_table_of_scores_is_not_overwritten(workspace, tmp_path, capsys):
    (tmp_path / "thesis.tex").write_text("mine")
    arguments = ["--model", str(workspace / "run/model"), str(workspace / "images/normal")]
    assert status_of(predict, *arguments, "--out", str(tmp_path / "thesis.tex")) == 2
    assert "exists and was not written by this command" in capsys.readouterr().err
    assert (tmp_path / "thesis.tex").read_text() == "mine"
    own = f"{HEADER}\nold.png,0.5,normal,default,,\n"
    for former in ("", own, "path,score,label\nx.png,0,a\n"):
        (tmp_path / "scores.csv").write_text(former)
        assert status_of(predict, *arguments, "--out", str(tmp_path / "scores.csv")) == 0
        assert (tmp_path / "scores.csv").read_text().startswith(f"{HEADER}\n")


def test_folder_of_images_alone_prints_no_message(workspace, capsys):
    assert scores_of(workspace, capsys, str(workspace / "images/normal"))[1] == []


def test_output_is_checked_before_the_first_image_is_decoded(workspace, monkeypatch, capsys):
    monkeypatch.setattr(reading, "decode_radiograph", None)
    arguments = ["--model", str(workspace / "run/model"), str(workspace / "images")]
    assert status_of(predict, *arguments, "--out", "/proc/scores.csv") == 2
    assert "cannot be written" in capsys.readouterr().err


def test_device_is_written_and_not_replaced(workspace, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    arguments = ["--model", str(workspace / "run/model"), str(workspace / "images/normal/p00.png")]
    assert status_of(predict, *arguments, "--out", str(tmp_path / "pipe")) == 0
    assert os.read(reader, 1000).decode().splitlines()[0] == HEADER
    os.close(reader)
    assert (tmp_path / "pipe").is_fifo()


def test_name_that_is_not_utf8_is_scored_and_written_with_an_escape(
    workspace, tmp_path, capfdbinary
):
    name = os.fsencode(tmp_path) + b"/M\xfcller.png"
    shutil.copy(os.fsencode(workspace / "images/normal/p00.png"), name)
    out = tmp_path / "out.csv"
    model = str(workspace / "run/model")
    for given in (os.fsdecode(name), str(tmp_path)):
        assert status_of(predict, "--model", model, given, "--out", str(out)) == 0
        escaped = b"'" + name.replace(b"\xfc", b"\\xfc")
        assert out.read_bytes().splitlines()[1].startswith(escaped + b",0.")
        (row,) = read_csv_table(out).rows
        assert os.fsencode(row.cells["path"]) == name
        out.unlink()
    linked = tmp_path / os.fsdecode(b"mod\xe8le")
    linked.symlink_to(workspace / "run/model")
    assert status_of(predict, "--model", str(linked), os.fsdecode(name)) == 2
    assert b"mod\\xe8le" in capfdbinary.readouterr().err


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
def test_damaged_model_is_refused(workspace, tmp_path, capsys, damage, message):
    model = tmp_path / "model"
    shutil.copytree(workspace / "run/model", model)
    damage(model)
    assert status_of(predict, "--model", str(model), str(workspace / "images")) == 2
    assert message in capsys.readouterr().err
