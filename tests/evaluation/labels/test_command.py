"""The command: its table and record, and what it refuses."""

import dataclasses
import json
import shutil

import numpy as np
import pytest

from elbow_core.dataset import SEEN_FILE, images_learnt_from, open_prepared, read_manifest
from elbow_core.errors import PredictionsError, UserError
from elbow_core.evaluation import read_predictions, write_predictions
from elbow_core.evaluation.labels import __main__ as command
from elbow_core.evaluation.labels import write_audit
from elbow_core.evaluation.report.content import image_flow
from elbow_core.prepare import CORRECTION_COLUMNS, corrected_images, prepare
from elbow_core.tables import read_csv_table
from tests.support.commands import refusal_of
from tests.support.label_audits import PAIR, WRONG, write_data, write_scores
from tests.support.paths import names_in


def test_command_writes_the_ranking_of_all_labels_and_the_record(folder, capsys):
    assert names_in(folder / "out") == ["labels.html", "labels.json", "ranking.csv"]
    table = read_csv_table(folder / "out/ranking.csv")
    cells = [line.cells for line in table.rows]
    assert [line["rank"] for line in cells] == [str(rank) for rank in range(1, 50)]
    assert tuple(line["image_id"] for line in cells[:4]) == (*PAIR, *WRONG)
    assert [line["contradicts"] for line in cells[:3]] == [PAIR[1], PAIR[0], ""]
    quality = [float(line["quality"]) for line in cells[2:]]
    assert quality == sorted(quality)
    record = json.loads((folder / "out/labels.json").read_text())
    assert (record["labels"], record["shown"], record["contradicting_pairs"]) == (49, 49, 1)
    assert str(folder) not in (folder / "out/labels.json").read_text()
    assert str(folder) not in (folder / "out/labels.html").read_text()


def test_command_says_what_it_found_and_that_scores_of_chance_rank_by_chance(
    folder, tmp_path, capsys
):
    arguments = ["--archive", str(folder / "prepared"), "--out", str(tmp_path / "out")]
    assert command.main([str(folder / "scores.csv"), *arguments, "--images", "3"]) == 0
    *files, last = capsys.readouterr().out.splitlines()
    assert len(files) == 3
    assert "49 labels, " in last
    assert "1 pairs of near-duplicates with contradicting labels; 3 images on the page" in last
    assert (tmp_path / "out/labels.html").read_text().count("<article") == 3
    found = read_predictions(folder / "scores.csv")
    chance = dataclasses.replace(found, score=np.linspace(0, 1, len(found)) * 0.2 + 0.4)
    write_predictions(tmp_path / "chance.csv", chance)
    assert command.main([str(tmp_path / "chance.csv"), *arguments]) == 0
    assert "hardly separate these labels" in capsys.readouterr().out


def test_folder_with_saved_corrections_or_anything_else_is_not_replaced(folder, tmp_path, capsys):
    out = tmp_path / "out"
    arguments = [str(folder / "scores.csv"), "--archive", str(folder / "prepared")]
    assert command.main([*arguments, "--out", str(out)]) == 0
    assert command.main([*arguments, "--out", str(out)]) == 0
    (out / "corrections.csv").write_text("mine")
    line = refusal_of(capsys, command, *arguments, "--out", str(out))
    assert "holds other files, such as corrections.csv" in line
    assert (out / "corrections.csv").read_text() == "mine"
    (out / "corrections.csv").unlink()
    (out / "labels.json").write_text("{}")
    line = refusal_of(capsys, command, *arguments, "--out", str(out))
    assert "labels.json is missing or not that of a label audit" in line


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("normal/p00_0.png,", "normal/gone.png,", "image 'normal/gone.png' is not in the prepared"),
        (",0,0.99,", ",1,0.99,", "image 'normal/p00_0.png' has label 1, but 0 in the prepared"),
    ],
)
def test_images_and_labels_must_be_those_of_the_prepared_data(folder, tmp_path, old, new, problem):
    lines = (folder / "scores.csv").read_text().splitlines()
    (number,) = [number for number, line in enumerate(lines) if WRONG[0] in line]
    changed = lines[number].replace(old, new)
    assert changed != lines[number]
    scores = tmp_path / "scores.csv"
    scores.write_text("\n".join([*lines[:number], changed, *lines[number + 1 :]]) + "\n")
    with pytest.raises(PredictionsError) as caught:
        write_audit(scores, folder / "prepared", tmp_path / "out", 3)
    assert str(caught.value).startswith(f"{scores}:{number + 1}: {problem}")
    assert not (tmp_path / "out").exists()


def test_predictions_of_a_run_on_what_it_learnt_from_are_refused(folder, tmp_path):
    data = open_prepared(folder / "prepared")
    entry, files = images_learnt_from(data).for_run()
    (tmp_path / "run.json").write_text(json.dumps(entry))
    (tmp_path / SEEN_FILE).write_bytes(files[SEEN_FILE])
    scores = tmp_path / "scores.csv"
    for split, refused in (("train", True), ("validation", False), ("test", False)):
        write_scores(scores, [found for found in data.rows if found.split == split])
        if refused:
            with pytest.raises(
                PredictionsError, match=r"scores\.csv: a label audit needs .*crossval"
            ):
                write_audit(scores, folder / "prepared", tmp_path / split, 3)
        else:
            write_audit(scores, folder / "prepared", tmp_path / split, 3)
        assert (tmp_path / split).exists() != refused


def test_labels_of_one_class_are_refused(folder, tmp_path):
    lines = (folder / "scores.csv").read_text().splitlines()
    normal = [line for line in lines if "normal/" in line or line.startswith("image_id")]
    (tmp_path / "scores.csv").write_text("\n".join(normal) + "\n")
    with pytest.raises(PredictionsError, match=r"scores\.csv: all labels are the same"):
        write_audit(tmp_path / "scores.csv", folder / "prepared", tmp_path / "out", 3)


@pytest.mark.parametrize("images", ["0", "-1", "1.5", "many"])
def test_number_of_images_is_a_whole_number_from_1(images, capsys):
    with pytest.raises(SystemExit) as caught:
        command.main(["a.csv", "--archive", "b", "--out", "c", "--images", images])
    assert caught.value.code == 2
    assert "--images: " in capsys.readouterr().err


def test_damaged_table_of_near_duplicates_is_refused_with_its_line(folder, tmp_path):
    shutil.copytree(folder / "prepared", tmp_path / "prepared")
    table = tmp_path / "prepared/near_duplicates.csv"
    header, *lines = table.read_text().splitlines()
    cells = lines[0].split(",")
    table.write_text("\n".join([header, ",".join([*cells[:2], "many", *cells[3:]])]) + "\n")
    with pytest.raises(UserError, match=r"near_duplicates\.csv:2: bits: 'many' is not a whole"):
        write_audit(folder / "scores.csv", tmp_path / "prepared", tmp_path / "out", 3)


def test_flow_of_images_counts_the_labels_that_were_changed(tmp_path):
    config, data = write_data(tmp_path)
    corrections = tmp_path / "corrections.csv"
    lines = [f"{WRONG[0]},0,1,change,", f"{WRONG[1]},1,0,change,", f"{PAIR[0]},1,1,agree,"]
    corrections.write_text("\n".join([",".join(CORRECTION_COLUMNS), *lines]) + "\n")
    out = tmp_path / "corrected"
    prepare(config.model_copy(update={"corrections": corrections, "out": out}))
    rows = read_manifest(out / "manifest.csv")
    used = [found for found in rows if found.path != WRONG[1]]
    scores = read_predictions(write_scores(tmp_path / "scores.csv", used))
    flow = image_flow(scores, rows, None, corrected_images(out))
    assert (flow.corrected, flow.corrected_used) == (2, 1)
    flow = image_flow(scores, rows, None, corrected_images(data.directory))
    assert (flow.corrected, flow.corrected_used) == (None, None)
