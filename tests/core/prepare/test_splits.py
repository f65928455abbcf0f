"""The split that prepare assigns or keeps as published, and the splits that it refuses."""

import pytest

from elbow_core.dataset import check_leakage, read_manifest
from elbow_core.errors import UserError
from elbow_core.prepare import (
    ClassCounts,
    CountSplit,
    DataConfig,
    FractionSplit,
    OfficialSplit,
    prepare,
)
from elbow_core.sources import MuraSource
from tests.support.prepare_folders import write_images
from tests.support.tiny_images import make_image, write


@pytest.fixture
def config(tmp_path) -> DataConfig:
    return write_images(tmp_path)


def test_splits_share_no_patient_and_have_their_shares(config):
    prepare(config)
    rows = read_manifest(config.out / "manifest.csv")
    check_leakage(rows)
    counts = {(row.split, row.label): 0 for row in rows}
    for row in rows:
        counts[row.split, row.label] += 1
    assert counts == {
        ("train", 0): 12,
        ("train", 1): 12,
        ("validation", 0): 6,
        ("validation", 1): 6,
        ("test", 0): 6,
        ("test", 1): 6,
    }


def test_shares_that_do_not_sum_to_1_are_refused():
    with pytest.raises(ValueError, match="must sum to 1"):
        FractionSplit(train=0.5, validation=0.1, test=0.1)
    with pytest.raises(ValueError, match="nothing could be trained"):
        FractionSplit(train=0.0, validation=0.5, test=0.5)


def test_identical_images_stay_in_one_split(config):
    for name in ("p00_0.png", "p02_0.png", "p04_0.png"):
        write(config.root / "normal" / name, make_image(99))
    prepare(config)
    rows = read_manifest(config.out / "manifest.csv")
    assert len({row.split for row in rows if row.patient_id in ("p00", "p02", "p04")}) == 1


def test_counts_are_those_of_the_readable_images(config):
    half = ClassCounts(normal=12, injury=12)
    quarter = ClassCounts(normal=6, injury=6)
    split = CountSplit(train=half, validation=quarter, test=quarter)
    counted = config.model_copy(update={"split": split})
    (config.root / "normal/p00_0.png").write_bytes(b"broken")
    with pytest.raises(UserError, match="24 normal images are requested, but there are 23"):
        prepare(counted)


@pytest.fixture
def mura(config) -> DataConfig:
    root = config.root.with_name("mura")
    for patient in range(8):
        split = "train" if patient < 4 else "valid"
        result = ("negative", "positive")[patient % 2]
        folder = root / split / "XR_ELBOW" / f"patient{patient:05d}" / f"study1_{result}"
        write(folder / "image1.png", make_image(patient))
    return config.model_copy(
        update={"source": MuraSource(), "root": root, "split": OfficialSplit()}
    )


def test_official_split_is_kept(mura):
    prepare(mura)
    rows = read_manifest(mura.out / "manifest.csv")
    assert [row.split for row in rows] == ["train"] * 4 + ["validation"] * 4


def test_official_split_that_leaks_is_refused(mura):
    images = sorted(mura.root.rglob("*.png"))
    images[4].write_bytes(images[0].read_bytes())
    with pytest.raises(UserError, match="leak: 1 identical images in two splits"):
        prepare(mura)


def test_official_split_of_a_source_without_one_is_refused(config):
    with pytest.raises(UserError, match="has no official split; use fractions"):
        prepare(config.model_copy(update={"split": OfficialSplit()}))


def test_published_split_can_be_replaced(mura):
    prepare(mura.model_copy(update={"split": FractionSplit(train=0.5, validation=0.5, test=0.0)}))
    rows = read_manifest(mura.out / "manifest.csv")
    assert {row.split for row in rows} == {"train", "validation"}
