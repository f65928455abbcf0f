"""Import of another system's scores: a predictions file, or an error with the line."""

import pytest

from elbow_core.evaluation import import_scores, read_predictions
from elbow_core.evaluation.import_scores import main
from tests.support.commands import status_of

TABLE = "file,truth,probability,who,comment\nx/1.png,fracture,0.9,A,\nx/2.png,none,0.2,B,odd\n"
OPTIONS = ["--image-id", "file", "--label", "truth", "--score", "probability"]
LABELS = ["--injury", "fracture", "--normal", "none"]


def test_table_of_another_system_becomes_predictions(tmp_path):
    table, out = tmp_path / "scores.csv", tmp_path / "predictions.csv"
    table.write_text(TABLE)
    options = ["--patient-id", "who", "--model", "vendor", "--out", str(out)]
    assert main([str(table), *OPTIONS, *LABELS, *options]) == 0
    read = read_predictions(out)
    assert read.image_id.tolist() == ["x/1.png", "x/2.png"]
    assert read.patient_id.tolist() == ["A", "B"]
    assert read.study_id.tolist() == ["", ""]
    assert read.label.tolist() == [1, 0]
    assert read.score.tolist() == [0.9, 0.2]
    assert read.prediction.tolist() == [1, 0]
    assert read.model == "vendor"


def test_ids_keep_every_character_and_columns_without_a_name_do_not_count(tmp_path):
    table, out = tmp_path / "scores.csv", tmp_path / "predictions.csv"
    text = TABLE.replace(",A,", ", A\xa0,").replace("file", ",file").replace("x/", "0,x/")
    table.write_text(text, encoding="utf-8")
    options = ["--patient-id", "who", "--model", "vendor", "--threshold", "0.95", "--out", str(out)]
    assert main([str(table), *OPTIONS, *LABELS, *options]) == 0
    read = read_predictions(out)
    assert read.patient_id.tolist() == [" A\xa0", "B"]
    assert read.prediction.tolist() == [0, 0]


@pytest.mark.parametrize(
    ("table", "options", "message"),
    [
        (TABLE, ["--injury", "break"], "scores.csv:2: label 'fracture'"),
        (TABLE, ["--study-id", "exam"], "scores.csv:1: no column 'exam'; the columns are 'file'"),
        (TABLE.replace("0.9", "high"), LABELS, "scores.csv:2: score 'high' is not a number"),
        (TABLE.replace("0.2", "1.2"), LABELS, "scores.csv:3: score of 'x/2.png' is 1.2"),
        (TABLE.replace("2.png", "1.png"), LABELS, "scores.csv:3: image_id 'x/1.png' appears"),
        (TABLE.replace(",odd", ""), LABELS, "scores.csv:3: 4 values under 5 columns"),
        (TABLE.splitlines()[0] + "\n", LABELS, "no rows"),
        ("", LABELS, "scores.csv:1: no column"),
        (TABLE, ["--injury", "x", "--normal", "x"], "are both 'x'"),
        (TABLE.replace("fracture", "fracture "), LABELS, "scores.csv:2: label 'fracture '"),
        (TABLE.replace("0.9", "0_9"), LABELS, "scores.csv:2: score '0_9' is not a number"),
        (TABLE.replace("0.9", "nan"), LABELS, "scores.csv:2: score 'nan' is not a number"),
        (TABLE.replace("0.9", "\xa00.9"), LABELS, "scores.csv:2: score '\\xa00.9' is not a number"),
        (TABLE.replace("comment", "truth"), LABELS, "scores.csv:1: repeated columns: truth"),
        (TABLE.replace(",truth", ", truth"), LABELS, "scores.csv:1: the column name ' truth'"),
        (TABLE.replace(",", ";"), LABELS, "separate the columns by commas"),
        (TABLE, [*LABELS, "--threshold", "nan"], "--threshold: 'nan' is not a number from 0 to 1"),
        (TABLE, [*LABELS, "--threshold", "1_0"], "--threshold: '1_0' is not a number"),
        (TABLE, [*LABELS, "--threshold", "50"], "--threshold: '50' is not a number from 0 to 1"),
    ],
)
def test_fault_is_one_line_with_status_2_and_writes_nothing(
    tmp_path, monkeypatch, capsys, table, options, message
):
    (tmp_path / "scores.csv").write_text(table)
    out = tmp_path / "predictions.csv"
    command = ["scores.csv", *OPTIONS, "--model", "m", "--out", str(out), *options]
    monkeypatch.chdir(tmp_path)
    assert status_of(import_scores, *command) == 2
    assert message in capsys.readouterr().err.strip().splitlines()[-1]
    assert not out.exists()
