"""Tables of ratings that are read, and those that are refused with file, line and cause."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from elbow_core.errors import ReaderStudyError
from elbow_core.evaluation.readers import ReaderStudy, read_study
from elbow_core.evaluation.readers import reading as reading_module
from elbow_core.evaluation.readers.reading import COLUMNS
from elbow_core.evaluation.readers.simulate import write_study
from tests.support.reader_studies import small_study

LABELS = {"1": 1, "0": 0}
SAME = {name: name for name in COLUMNS}
# Two readers, two modalities, cases a to d, of which a and b are positive.
LINES = [
    "reader,modality,case,truth,rating",
    *(
        f"{reader},{modality},{case},{int(case in 'ab')},{number}"
        for reader in ("R1", "R2")
        for modality in ("CT", "MR")
        for number, case in enumerate("abcd")
    ),
]


def read(folder: Path, lines: list[str]) -> ReaderStudy:
    path = folder / "study.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return read_study(path, SAME, LABELS)


def refusal(folder: Path, lines: list[str]) -> str:
    with pytest.raises(ReaderStudyError) as caught:
        read(folder, lines)
    message = str(caught.value)
    assert "\n" not in message
    return message.removeprefix(str(folder) + "/")


def test_written_study_is_read_back(tmp_path):
    study = small_study(modalities=3)
    write_study(tmp_path / "study.csv", study)
    found = read_study(tmp_path / "study.csv", SAME, LABELS)
    assert (found.readers, found.modalities) == (study.readers, study.modalities)
    assert found.cases == study.cases
    np.testing.assert_array_equal(found.ratings, study.ratings)
    np.testing.assert_array_equal(found.truth, study.truth)


def test_order_of_the_rows_changes_only_that_of_the_names(tmp_path):
    first = read(tmp_path, LINES)
    second = read(tmp_path, [LINES[0], *reversed(LINES[1:])])
    assert second.readers == first.readers[::-1]
    np.testing.assert_array_equal(second.ratings, first.ratings[::-1, ::-1, ::-1])


def test_columns_and_labels_have_any_names(tmp_path):
    path = tmp_path / "study.csv"
    lines = ["who,how,what,fracture,score,note"]
    lines += [row.replace(",1,", ",yes,").replace(",0,", ",no,") + ",x" for row in LINES[1:]]
    path.write_text("\n".join(lines), encoding="utf-8")
    columns: dict[str, str] = dict(
        zip(COLUMNS, ("who", "how", "what", "fracture", "score"), strict=True)
    )
    found = read_study(path, columns, {"yes": 1, "no": 0})
    assert found.truth.tolist() == [1, 1, 0, 0]
    assert found.modalities == ("CT", "MR")


@pytest.mark.parametrize(
    ("number", "old", "new"),
    [(5, "R1", "r1 "), (9, "R2", "Ｒ2"), (3, "CT", "ct"), (7, ",b,", ",\u200bB,")],
)
def test_spellings_of_one_name_are_one(tmp_path, number, old, new):
    lines = list(LINES)
    lines[number] = lines[number].replace(old, new)
    found = read(tmp_path, lines)
    assert found.ratings.shape == (2, 2, 4)
    np.testing.assert_array_equal(found.ratings, read(tmp_path, LINES).ratings)


def test_missing_column_is_named_with_those_that_are_there(tmp_path):
    message = refusal(tmp_path, ["reader,modality,image,truth,score", "R1,CT,a,1,2"])
    assert message.startswith("study.csv:1: no column 'case', 'rating'; the columns are 'reader'")
    assert "--case" in message


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda of: of[:1], "study.csv: no rows below the header"),
        (
            lambda of: of[:4] + of[5:],
            "'R1' has not rated case 'd' with modality 'CT'; ",
        ),
        (
            lambda of: of[:9] + of[13:],
            "case 'a' with modality 'CT', and 3 other ratings are missing",
        ),
        (lambda of: [*of, of[3]], ":18: reader 'R1' rates case 'c' with modality 'CT' a second"),
        (lambda of: [*of, of[3].replace("R1", "r1")], ":18: reader 'R1' rates case 'c'"),
        (lambda of: [row.replace("R2,MR,a,1", "R2,MR,a,0") for row in of], ":14: case 'a' has the"),
        (lambda of: [row.replace(",CT,a,1,0", ",CT,a,2,0") for row in of], ":2: truth '2' is not"),
        (
            lambda of: [row.replace(",CT,a,1,0", ",CT,a,,0") for row in of],
            ":2: truth '' is",
        ),
        (
            lambda of: [row.replace(",d,0,3", ",d,0,three") for row in of],
            ":5: rating 'three' is",
        ),
        (
            lambda of: [row.replace(",d,0,3", ",d,0,") for row in of],
            ":5: rating '' is not",
        ),
        (lambda of: [row.replace(",d,0,3", ",d,0,nan") for row in of], ":5: rating 'nan' is not"),
        (lambda of: [row.replace(",d,0,3", ',d,0,"3,5"') for row in of], "write a decimal point"),
        (lambda of: [row.replace("R1,CT,a", ",CT,a") for row in of], ":2: the reader is empty"),
        (lambda of: [row.replace("R1,CT,a", "R1,CT, ") for row in of], ":2: the case is empty"),
        (lambda of: [row.replace("R1,CT,a", "R1,\u200b,a") for row in of], ":2: the modality is"),
        (
            lambda of: [row.replace("b,1,", "b,0,") for row in of],
            "has 1 positive cases; the accuracy of readers needs at least two of each class",
        ),
        (
            lambda of: [row.replace("c,0,", "c,1,").replace("d,0,", "d,1,") for row in of],
            "has 0 negative cases",
        ),
    ],
)
def test_bad_table_is_refused(
    tmp_path: Path, change: Callable[[list[str]], list[str]], message: str
):
    assert message in refusal(tmp_path, change(list(LINES)))


def test_reason_for_a_complete_table_is_given(tmp_path):
    assert "the analysis is of factorial designs" in refusal(tmp_path, LINES[:-1])


def test_line_of_the_first_truth_and_of_the_first_rating_is_named(tmp_path):
    lines = [*LINES[:-1], LINES[-1].replace("d,0", "d,1")]
    assert refusal(tmp_path, lines).startswith("study.csv:17: case 'd' has the truth '1' here")
    assert "another in line 5" in refusal(tmp_path, lines)
    assert "after line 4; keep one" in refusal(tmp_path, [*LINES, LINES[3]])


def test_too_many_readers_are_refused_at_their_row(tmp_path, monkeypatch):
    monkeypatch.setattr(reading_module, "MAX_READINGS", 3)
    message = refusal(tmp_path, LINES)
    assert message.startswith("study.csv:10: has more than 3 pairs of readers and modalities")
