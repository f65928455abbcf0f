from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from elbow_core.dataset import (
    ManifestRow,
    check_disjoint,
    check_leakage,
    count_classes,
    find_contradictions,
    split_patients,
)
from elbow_core.errors import ManifestError
from tests.support.tiny_images import row

SHARES = {"train": 0.6, "validation": 0.2, "test": 0.2}


def hospital(patients: int, seed: int = 0) -> list[ManifestRow]:
    """Return patients with 1 to 6 images in two views, a third injured, some with both labels."""
    rng = np.random.default_rng(seed)
    rows = []
    for patient in range(patients):
        injured = rng.random() < 0.35
        for image in range(rng.integers(1, 7)):
            label = int(injured and rng.random() < 0.9)
            rows.append(
                row(
                    f"p{patient}_{image}",
                    patient_id=f"p{patient}",
                    label=label,
                    view=("ap", "lateral")[image % 2],
                )
            )
    return rows


def digest(number: int) -> str:
    return f"{number:064x}"


def split_by_id(rows: list[ManifestRow]) -> dict[str, str]:
    return {found.image_id: found.split for found in rows}


def test_no_patient_is_in_two_splits():
    rows = split_patients(hospital(200), SHARES, 0)
    splits = {(found.patient_id, found.split) for found in rows}
    assert len(splits) == 200
    check_leakage(rows)


def test_rows_come_back_in_their_order_with_nothing_but_the_split_changed():
    rows = hospital(50)
    assigned = split_patients(rows, SHARES, 0)
    assert [replace(found, split="") for found in assigned] == rows


def test_each_split_has_its_share_of_each_class_and_view():
    rows = split_patients(hospital(400), SHARES, 0)
    whole = Counter((found.label, found.view) for found in rows)
    assigned = Counter((found.split, found.label, found.view) for found in rows)
    for (label, view), total in whole.items():
        for split, share in SHARES.items():
            assert abs(assigned[split, label, view] - share * total) <= 2
    for label, counts in enumerate(zip(*count_classes(rows).values(), strict=True)):
        total = sum(found.label == label for found in rows)
        for count, share in zip(counts, SHARES.values(), strict=True):
            assert abs(count - share * total) <= 1


def test_patients_with_many_images_are_not_all_in_training():
    rows = split_patients(hospital(400), SHARES, 0)
    images = Counter((found.split, found.patient_id) for found in rows)
    mean = {
        split: np.mean([count for (of, _), count in images.items() if of == split])
        for split in SHARES
    }
    assert abs(mean["train"] - mean["test"]) < 0.5


def test_counts_of_the_paper_are_met_exactly_with_whole_patients():
    rows = [found for found in hospital(2600) if found.label == 0][:2387]
    injured = [row(f"q{n}", label=1, patient_id=f"q{max(n // 2, 5)}") for n in range(1975)]
    injured += [row(f"r{n}", label=1) for n in range(7)]
    counts = {"train": (1957, 1538), "validation": (244, 193), "test": (186, 251)}
    assigned = split_patients(rows + injured, counts, 0)
    assert count_classes(assigned) == counts
    check_leakage(assigned)


def test_counts_that_do_not_add_up_are_an_error_with_the_available_number():
    counts = {"train": (10, 10), "validation": (1, 1), "test": (1, 1)}
    rows = [row(f"p{n}", label=n % 2) for n in range(30)]
    with pytest.raises(ManifestError, match="12 normal images are requested, but there are 15"):
        split_patients(rows, counts, 0)


def test_counts_that_whole_patients_cannot_meet_give_the_nearest():
    rows = [row(f"p{n}", patient_id=f"p{n // 4}", label=(n // 4) % 2) for n in range(48)]
    counts = {"train": (16, 16), "validation": (4, 4), "test": (4, 4)}
    assert count_classes(split_patients(rows, counts, 0)) == counts
    odd = {"train": (15, 16), "validation": (5, 4), "test": (4, 4)}
    with pytest.raises(ManifestError, match="the nearest counts are train 16 normal, 16 injury"):
        split_patients(rows, odd, 0)


def test_seed_decides_and_the_order_of_the_rows_does_not():
    rows = hospital(100)
    first = split_by_id(split_patients(rows, SHARES, 0))
    assert first == split_by_id(split_patients(rows, SHARES, 0))
    assert first == split_by_id(split_patients(rows[::-1], SHARES, 0))
    assert first != split_by_id(split_patients(rows, SHARES, 1))


def test_patients_with_identical_images_stay_together():
    # A chain: a and b share an image, b and c another, so all three must stay together.
    rows = [row(f"p{n}", label=n % 2, sha256=digest(n)) for n in range(40)]
    rows += [
        row("a1", patient_id="a", sha256=digest(100)),
        row("b1", patient_id="b", sha256=digest(100)),
        row("b2", patient_id="b", sha256=digest(101)),
        row("c1", patient_id="c", sha256=digest(101)),
    ]
    for seed in range(5):
        assigned = split_patients(rows, SHARES, seed)
        check_leakage(assigned)
        assert len({found.split for found in assigned if found.patient_id in "abc"}) == 1


def test_rows_without_a_digest_do_not_count_as_identical():
    assigned = split_patients([row(f"p{n}", label=n % 2) for n in range(40)], SHARES, 0)
    assert len({found.split for found in assigned}) == 3


def test_share_of_0_omits_the_split():
    assigned = split_patients(hospital(50), {"train": 0.8, "validation": 0.2, "test": 0.0}, 0)
    assert set(count_classes(assigned)) == {"train", "validation"}


def test_class_that_is_missing_is_named():
    normal = [row(f"p{n}") for n in range(20)]
    with pytest.raises(ManifestError, match="there is no injury image"):
        split_patients(normal, SHARES, 0)
    few = [*normal, row("q", label=1)]
    with pytest.raises(
        ManifestError, match="validation has no injury image; test has no injury image"
    ):
        split_patients(few, SHARES, 0)


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 12), st.integers(0, 1), st.integers(0, 30)),
        min_size=1,
        max_size=40,
    ),
    st.integers(0, 3),
)
def test_no_split_leaks(images, seed):
    rows = [
        row(f"i{n}", patient_id=f"p{patient}", label=label, sha256=digest(content))
        for n, (patient, label, content) in enumerate(images)
    ]
    try:
        assigned = split_patients(rows, {"train": 0.5, "validation": 0.25, "test": 0.25}, seed)
    except ManifestError:
        return  # Too few patients for three splits with both classes.
    check_leakage(assigned)
    assert len(count_classes(assigned)) == 3
    assert all(min(counts) > 0 for counts in count_classes(assigned).values())


def test_patient_in_two_splits_is_a_leak_that_names_patient_and_images():
    rows = [row("a", patient_id="p", split="train"), row("b", patient_id="p", split="test")]
    with pytest.raises(ManifestError, match=r"1 patients in two splits: p \(a in train, b in test"):
        check_leakage(rows)


def test_identical_image_in_two_splits_is_a_leak_that_names_both():
    rows = [
        row("a", sha256=digest(1), split="train"),
        row("b", sha256=digest(1), split="validation"),
    ]
    with pytest.raises(ManifestError, match="identical images in two splits: a in train, b in val"):
        check_leakage(rows)


def test_identical_images_in_one_split_are_not_leakage():
    check_leakage(
        [row("a", sha256=digest(1), split="train"), row("b", sha256=digest(1), split="train")]
    )


def test_many_leaks_are_counted_and_the_first_named():
    rows = [
        row(f"{patient}{split}", patient_id=f"p{patient}", split=split)
        for patient in range(9)
        for split in ("train", "test")
    ]
    with pytest.raises(ManifestError, match=r"9 patients in two splits: p0 .*; and 4 more$"):
        check_leakage(rows)


def test_pretraining_image_in_the_target_set_is_a_leak_whatever_its_split():
    pretraining = [row("m", source="mura", sha256=digest(1), split="train")]
    target = [row("t", sha256=digest(1), split="train")]
    with pytest.raises(ManifestError, match="1 pretraining images in the target set: m is t"):
        check_disjoint(pretraining, target)


def test_pretraining_patient_in_the_target_set_is_a_leak_within_a_source_only():
    target = [row("t", patient_id="p1", sha256=digest(1))]
    elsewhere = [row("m", patient_id="p1", source="mura", sha256=digest(2))]
    check_disjoint(elsewhere, target)
    with pytest.raises(ManifestError, match="pretraining patients in the target set: p1"):
        check_disjoint([replace(elsewhere[0], source="elbow")], target)


def test_sets_without_digests_are_refused():
    with pytest.raises(ManifestError, match="m: has no sha256"):
        check_disjoint([row("m")], [row("t", sha256=digest(1))])


def test_identical_images_of_different_labels_name_each_other():
    rows = [
        row("a", label=0, sha256=digest(1)),
        row("b", label=1, sha256=digest(1)),
        row("c", label=1, sha256=digest(2)),
        row("d", label=1, sha256=digest(2)),
        row("e", label=0),
        row("f", label=1),
    ]
    assert find_contradictions(rows) == {"a": "b", "b": "a"}
