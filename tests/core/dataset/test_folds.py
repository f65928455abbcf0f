"""Folds: patients, equal bytes and near-duplicates stay together; every image is tested once."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from pydantic import ValidationError

from elbow_core.dataset import (
    FoldSplit,
    ManifestRow,
    deal_folds,
    open_fold,
    open_prepared,
    read_hashes,
)
from elbow_core.errors import ManifestError
from tests.support.small_data import write_prepared


def rows_of(patients: int = 60) -> list[ManifestRow]:
    """Two images a patient, in two views; a third of the patients is injured."""
    return [
        ManifestRow(
            image_id=f"p{patient:03d}_{view}.png",
            path=f"p{patient:03d}_{view}.png",
            label=int(patient % 3 == 0),
            split="train",
            patient_id=f"p{patient:03d}",
            study_id="",
            view=view,
            body_part="elbow",
            finding="",
            source="test",
            sha256=f"{patient}{view}",
        )
        for patient in range(patients)
        for view in ("ap", "lateral")
    ]


def test_patients_stay_together_and_folds_are_alike():
    rows = rows_of()
    folds = deal_folds(rows, 5, seed=0)
    assert set(folds.tolist()) == set(range(5))
    for patient in {row.patient_id for row in rows}:
        assert (
            len({fold for fold, row in zip(folds, rows, strict=True) if row.patient_id == patient})
            == 1
        )
    found = Counter((int(fold), row.label) for fold, row in zip(folds, rows, strict=True))
    assert all(found[fold, 1] == 8 and found[fold, 0] == 16 for fold in range(5))


def test_folds_do_not_depend_on_the_order_of_the_rows_but_on_the_seed():
    rows = rows_of()
    folds = deal_folds(rows, 5, seed=3)
    order = np.random.default_rng(0).permutation(len(rows))
    shuffled = deal_folds([rows[position] for position in order], 5, seed=3)
    np.testing.assert_array_equal(shuffled, folds[order])
    assert (deal_folds(rows, 5, seed=4) != folds).any()


def test_pairs_and_equal_bytes_stay_together():
    rows = rows_of()
    rows[10] = replace(rows[10], sha256=rows[40].sha256)
    folds = deal_folds(rows, 5, seed=1, same_fold=[(0, 100), (100, 50)])
    assert folds[10] == folds[40]
    assert folds[0] == folds[100] == folds[50]


def test_too_few_patients_of_a_class_are_refused():
    with pytest.raises(
        ManifestError, match=r"4 patients .* with injury images cannot be dealt to 5"
    ):
        deal_folds(rows_of(patients=12), 5, seed=0)


@pytest.mark.parametrize(
    "fields", [{"number": 0, "of": 5}, {"number": 6, "of": 5}, {"number": 1, "of": 2}]
)
def test_a_fold_that_does_not_exist_is_refused(fields):
    with pytest.raises(ValidationError):
        FoldSplit(**fields)


def test_every_image_is_in_one_test_set_and_the_sets_of_a_fold_are_apart(tmp_path):
    write_prepared(tmp_path / "data", seed=0)
    original = open_prepared(tmp_path / "data")
    assert open_fold(tmp_path / "data", None).rows == original.rows
    tested: list[str] = []
    for number in range(1, 5):
        data = open_fold(tmp_path / "data", FoldSplit(number=number, of=4))
        assert [row.image_id for row in data.rows] == [row.image_id for row in original.rows]
        sets = {
            split: {data.rows[position].patient_id for position in data.positions(split)}
            for split in ("train", "validation", "test")
        }
        assert not sets["train"] & sets["test"]
        assert not sets["validation"] & (sets["train"] | sets["test"])
        tested += [data.rows[position].image_id for position in data.positions("test")]
    assert sorted(tested) == sorted(row.image_id for row in original.rows)


def test_near_duplicates_are_in_one_fold(tmp_path, monkeypatch):
    write_prepared(tmp_path / "data", seed=0)
    rows = open_prepared(tmp_path / "data").rows
    hashes = np.random.default_rng(0).integers(0, 256, (len(rows), 32), np.uint8)
    hashes[7] = hashes[3]
    monkeypatch.setattr("elbow_core.dataset.folds.read_hashes", lambda *_: hashes)
    for number in range(1, 5):
        data = open_fold(tmp_path / "data", FoldSplit(number=number, of=4))
        assert data.rows[3].split == data.rows[7].split
    assert read_hashes is not None
