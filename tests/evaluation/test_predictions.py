"""Prediction files: round trips, and errors with file and line."""

import dataclasses
import errno
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from elbow_core.dataset import ManifestRow
from elbow_core.errors import PredictionsError
from elbow_core.evaluation import (
    UNPARSED,
    Predictions,
    predictions_of_rows,
    read_predictions,
    write_predictions,
)
from elbow_core.evaluation.pairing import align
from elbow_core.tables import writing as csv_writing

HEADER = "image_id,patient_id,study_id,label,score,prediction,model\n"
ROW = "a,p1,s1,1,0.75,1,convnext\n"


def predictions(n: int = 3, model: str = "convnext", **changes) -> Predictions:
    columns: dict[str, Any] = {
        "image_id": np.array([f"image{k}" for k in range(n)]),
        "patient_id": np.array([f"patient{k // 2}" for k in range(n)]),
        "study_id": np.array([""] * n),
        "label": np.arange(n) % 2,
        "score": np.linspace(0, 1, n),
        "prediction": (np.linspace(0, 1, n) >= 0.5).astype(np.int64),
    }
    columns |= {"model": model, **changes}
    return Predictions(**columns)


# Any answer, with commas, quotes, line breaks, formulas and bytes that are not UTF-8.
TEXT = st.text(st.characters(exclude_characters="\0"), max_size=12)


@settings(max_examples=100, deadline=None)
@given(
    rows=st.lists(
        st.tuples(st.integers(0, 1), st.floats(0, 1), st.integers(-1, 1), TEXT, TEXT),
        min_size=1,
        max_size=8,
    ),
    model=TEXT.filter(bool),
)
def test_written_predictions_are_read_back_exactly(tmp_path_factory, rows, model):
    path = tmp_path_factory.getbasetemp() / "any.csv"
    label, score, prediction, patient, answer = zip(*rows, strict=True)
    # Object arrays, because a fixed-width NumPy string would drop a trailing NUL.
    written = Predictions(
        image_id=np.array([f"image {k}" for k in range(len(rows))]),
        patient_id=np.array(patient, object),
        study_id=np.array([""] * len(rows)),
        label=np.array(label),
        score=np.array(score),
        prediction=np.array(prediction),
        model=model,
        answer=np.array(answer, object),
    )
    write_predictions(path, written)
    read = read_predictions(path)
    assert read.model == model
    assert read.answer is not None
    for name in ("image_id", "patient_id", "study_id", "label", "score", "prediction", "answer"):
        assert getattr(read, name).tolist() == getattr(written, name).tolist()


def test_empty_prediction_beside_an_answer_is_unparsed(tmp_path):
    path = tmp_path / "vlm.csv"
    path.write_text(HEADER[:-1] + ",answer\n" + "a,p,s,1,0.5,,medgemma,I am not sure\n")
    assert read_predictions(path).prediction.tolist() == [UNPARSED]


def test_byte_order_mark_and_crlf_of_a_spreadsheet_are_read(tmp_path):
    path = tmp_path / "sheet.csv"
    path.write_bytes(b"\xef\xbb\xbf" + (HEADER + ROW).replace("\n", "\r\n").encode())
    assert read_predictions(path).score.tolist() == [0.75]


def test_empty_lines_are_skipped_but_counted(tmp_path):
    path = tmp_path / "edited.csv"
    path.write_text(HEADER + "\n" + ROW + "\n\n" + ROW)
    with pytest.raises(PredictionsError, match=r"edited\.csv:6: image_id 'a'"):
        read_predictions(path)
    path.write_text(HEADER + ROW + "\n")
    assert len(read_predictions(path)) == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", ":1: no column image_id"),
        (HEADER, "no predictions"),
        (HEADER.replace(",score", "") + ROW, ":1: no column score"),
        (HEADER.replace("model", "model,extra") + ROW, ":1: unknown column extra"),
        (HEADER.replace("model", "model,model") + ROW, ":1: repeated columns: model"),
        (HEADER + "a,p1,s1,1,0.75,1\n", ":2: 6 values under 7 columns"),
        (HEADER + ROW + ROW, ":3: image_id 'a' appears a second time"),
        (HEADER + ROW + ROW.replace("a,", ",", 1), ":3: image_id is empty"),
        (HEADER + ROW.replace("0.75", "1.01"), ":2: score '1.01'"),
        (HEADER + ROW.replace("0.75", "-0.1"), ":2: score '-0.1'"),
        (HEADER + ROW.replace("0.75", "nan"), ":2: score 'nan'"),
        (HEADER + ROW.replace("0.75", "1_0"), ":2: score '1_0'"),
        (HEADER + ROW.replace("0.75", ""), ":2: score ''"),
        (HEADER + ROW.replace(",1,0.75", ",2,0.75"), ":2: label '2'"),
        (HEADER + ROW.replace(",1,0.75", ",injury,0.75"), ":2: label 'injury'"),
        (HEADER + ROW.replace("0.75,1", "0.75,"), ":2: prediction ''"),
        (HEADER + ROW + ROW.replace("convnext", "other"), ":3: model 'other' after 'convnext'"),
        (HEADER + ROW.replace("a,", '"a,', 1), "unexpected end of data"),
    ],
)
def test_fault_is_reported_with_file_and_line(tmp_path, text, message):
    path = tmp_path / "predictions.csv"
    path.write_text(text)
    with pytest.raises(PredictionsError, match=r"predictions\.csv") as error:
        read_predictions(path)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_line_number_counts_line_breaks_within_answers(tmp_path):
    path = tmp_path / "vlm.csv"
    path.write_text(
        HEADER[:-1] + ",answer\n" + 'a,p,s,1,0.5,1,m,"two\nlines"\n' + "a,p,s,1,0.5,1,m,x\n"
    )
    with pytest.raises(PredictionsError, match=r"vlm\.csv:4: image_id 'a'"):
        read_predictions(path)


@pytest.mark.parametrize("content", [None, b"\xff\xfe\x00"])
def test_unreadable_file_is_a_one_line_error(tmp_path, content):
    path = tmp_path / "absent.csv"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(PredictionsError, match=r"absent\.csv: cannot be read"):
        read_predictions(path)


def test_failed_write_leaves_the_old_file_and_no_partial_file(tmp_path, monkeypatch):
    path = tmp_path / "predictions.csv"
    write_predictions(path, predictions())
    before = path.read_bytes()

    def write_half(file, *_: object) -> None:
        file.write("half")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(csv_writing, "write_csv_rows", write_half)
    with pytest.raises(PredictionsError, match="No space left"):
        write_predictions(path, predictions())
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_null_byte_of_an_answer_is_replaced_and_one_of_an_id_refused(tmp_path):
    path = tmp_path / "predictions.csv"
    write_predictions(path, predictions(answer=np.array(["a\0b", "", "c"], object)))
    answer = read_predictions(path).answer
    assert answer is not None
    assert answer.tolist() == ["a\ufffdb", "", "c"]
    with pytest.raises(PredictionsError, match="patient_id contains a null byte"):
        write_predictions(path, predictions(patient_id=np.array(["a\0b", "", "c"], object)))


def test_write_into_a_missing_folder_is_an_error_that_names_it(tmp_path):
    with pytest.raises(PredictionsError, match=r"absent/predictions\.csv"):
        write_predictions(tmp_path / "absent" / "predictions.csv", predictions())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"score": np.array([0.1, np.nan, 0.2])}, "score of 'image1' is nan"),
        ({"score": np.array([0.1, 0.2, 1.5])}, "score of 'image2' is 1.5"),
        ({"label": np.array([0, 1, 3])}, "label of 'image2'"),
        ({"prediction": np.array([0, 1, UNPARSED])}, "prediction of 'image2'"),
        ({"image_id": np.array(["x", "y", "x"])}, "'x' appears a second time"),
        ({"model": ""}, "no name"),
    ],
)
def test_predictions_in_memory_obey_the_same_rules(changes, message):
    with pytest.raises(PredictionsError, match=message):
        predictions(**changes)


def written(path: Path, value: Predictions) -> Predictions:
    write_predictions(path, value)
    return read_predictions(path)


def test_files_in_different_orders_are_put_in_the_first_ones_order(tmp_path):
    first = written(tmp_path / "a.csv", predictions(9))
    shuffle = np.random.default_rng(0).permutation(9)
    columns = ("image_id", "patient_id", "study_id", "label", "score", "prediction")
    other = dataclasses.replace(
        first, model="other", **{name: getattr(first, name)[shuffle] for name in columns}
    )
    aligned = align([first, written(tmp_path / "b.csv", other)])[1]
    assert aligned.lines is not None
    for name in columns:
        assert getattr(aligned, name).tolist() == getattr(first, name).tolist()
    assert (aligned.lines - 2).tolist() == np.argsort(shuffle).tolist()


def test_label_that_differs_between_files_names_both_lines(tmp_path):
    first = written(tmp_path / "a.csv", predictions())
    other = written(tmp_path / "b.csv", predictions(model="b", label=np.array([0, 0, 0])))
    with pytest.raises(PredictionsError, match=r"b\.csv:3.*label '0', but '1' at .*a\.csv:3"):
        align([first, other])


def test_patient_that_differs_between_files_names_both_lines(tmp_path):
    first = written(tmp_path / "a.csv", predictions())
    other = written(
        tmp_path / "b.csv", predictions(model="b", patient_id=np.array(["patient0", "q", "r"]))
    )
    with pytest.raises(PredictionsError, match=r"b\.csv:3.*patient_id 'q', but 'patient0'"):
        align([first, other])


@pytest.mark.parametrize("sizes", [(3, 4), (4, 3)])
def test_missing_image_is_reported_with_the_line_of_the_other_file(tmp_path, sizes):
    names = ("a.csv", "b.csv")
    files = [
        written(tmp_path / name, predictions(size, model=name))
        for name, size in zip(names, sizes, strict=True)
    ]
    longer = names[sizes.index(4)]
    with pytest.raises(PredictionsError, match=rf"{longer}:5: image 'image3' is not in"):
        align(files)


def test_one_model_name_in_two_files_is_refused():
    with pytest.raises(PredictionsError, match="--names"):
        align([predictions(), predictions()])


def test_rows_of_a_manifest_become_predictions_in_their_order():
    rows = [
        ManifestRow(name, f"{name}.png", label, "test", f"p{name}", "study1", "ap", "elbow", "", "")
        for name, label in (("b", 1), ("a", 0))
    ]
    found = predictions_of_rows(rows, [0.75, 0.5], [1, UNPARSED], "m", ["A", "neither"])
    assert found.image_id.tolist() == ["b", "a"]
    assert found.patient_id.tolist() == ["pb", "pa"]
    assert found.study_id.tolist() == ["study1", "study1"]
    assert found.label.tolist() == [1, 0]
    assert found.score.tolist() == [0.75, 0.5]
    assert found.prediction.tolist() == [1, UNPARSED]
    assert found.answer is not None
    assert found.answer.tolist() == ["A", "neither"]
    with pytest.raises(PredictionsError, match="no predictions"):
        predictions_of_rows([], [], [], "m")
