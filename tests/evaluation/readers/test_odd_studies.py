"""Studies with few readers, one modality or odd ratings."""

import numpy as np
import pytest

from elbow_core.evaluation.readers import ReaderSettings
from elbow_core.evaluation.readers.analysis import analyse
from tests.support.paths import names_in
from tests.support.reader_reports import documents, refused, run_command, with_ratings
from tests.support.reader_studies import small_study


def test_binary_ratings_are_decisions():
    study = small_study()
    decisions = with_ratings(study, study.ratings >= 2)
    found, _ = documents(decisions)
    assert list(found["metrics"]) == ["sensitivity", "specificity"]
    by_threshold, _ = documents(study, "--threshold", "2")
    for metric, of in found["metrics"].items():
        assert of == by_threshold["metrics"][metric]


def test_several_modalities_have_one_test_and_all_pairs():
    found, page = documents(small_study(modalities=4))
    of = found["metrics"]["auroc"]["populations"]["random"]
    assert of["equality"]["df1"] == 3
    assert len(of["differences"]) == 6
    assert page.splitlines()[2].startswith("AUROC of 4 modalities: F = ")


@pytest.mark.parametrize(
    ("modalities", "readers", "words"), [(2, 2, "13 %"), (2, 3, "8 %"), (3, 2, "8 %"), (2, 4, "")]
)
def test_few_random_readers_are_warned_of(modalities, readers, words):
    study = small_study(0, modalities, readers)
    notes = analyse(study, ReaderSettings()).notes
    expected = [f"{words} of studies."] if words else []
    assert [note.split("up to ")[-1] for note in notes] == expected
    for population in ("fixed_readers", "fixed_cases"):
        assert analyse(study, ReaderSettings(population=population)).notes == ()


def test_one_reader_is_analysed_alone_or_refused(tmp_path, capsys):
    study = small_study(readers=1)
    line = refused(capsys, tmp_path, study)
    assert "has one reader, 'R1', who says nothing about other readers" in line
    assert "--population fixed-readers" in line
    found = run_command(tmp_path, study, "--population", "fixed-readers")
    populations = found["metrics"]["auroc"]["populations"]
    assert populations["fixed_readers"]["equality"]["p"] > 0
    assert populations["random"]["equality"]["p"] is None
    page = (tmp_path / "out" / "report.md").read_text("utf-8")
    assert "There is one reader: nothing here is about other readers." in page
    assert "one reader says nothing about other readers" in page


def test_one_modality_has_intervals_only(tmp_path, capsys):
    study = small_study(modalities=1)
    line = refused(capsys, tmp_path, study, "--margin", "0.1", "--reference", "M1")
    assert "has one modality, 'M1'" in line
    found = run_command(tmp_path, study)
    of = found["metrics"]["auroc"]["populations"]["random"]
    assert (of["equality"]["p"], of["differences"]) == (None, [])
    page = (tmp_path / "out" / "report.md").read_text("utf-8")
    assert "There is one modality: there are intervals and no comparison." in page
    assert "Holm)" not in page.split("## Methods")[0]
    assert names_in(tmp_path / "out" / "figures") == ["roc.svg"]


def test_constant_ratings_are_named_with_their_consequence():
    study = small_study()
    ratings = study.ratings.copy()
    ratings[1, 2] = 3
    found, page = documents(with_ratings(study, ratings))
    assert found["notes"] == [
        "Reader R3 with modality M2 rates every case 3, which counts as perfectly certain: "
        "intervals that rest on it are too narrow."
    ]
    constant = found["metrics"]["auroc"]["readers"]["M2"]["R3"]
    assert (constant["value"], constant["low"]) == (0.5, None)
    assert constant["reason"] == "the metric has no variance"
    assert found["notes"][0] in page


def test_perfect_reader_is_named():
    study = small_study()
    ratings = study.ratings.copy()
    ratings[0, 0] = study.truth
    notes = analyse(with_ratings(study, ratings), ReaderSettings()).notes
    assert notes == (
        "Reader R1 with modality M1 has no variance over the cases (AUROC 1.000), which counts as "
        "perfectly certain: intervals that rest on it are too narrow.",
    )


def test_ratings_the_wrong_way_round_are_noticed():
    study = small_study()
    notes = analyse(with_ratings(study, -study.ratings), ReaderSettings()).notes
    assert [note.split(" is ")[0] for note in notes] == [
        "The mean AUROC of modality M1",
        "The mean AUROC of modality M2",
    ]


def test_equal_modalities_have_a_reason_instead_of_a_test():
    study = small_study()
    _, page = documents(with_ratings(study, np.stack([study.ratings[0]] * 2)))
    assert "M1 minus M2: 0.0000, no test: the difference has no variance; random" in page
    assert "Comparison, random readers and random cases: the difference has no variance." in page
