import csv
import tracemalloc

import cv2
import numpy as np
import pytest

from elbow_core.dataset import (
    HASHES_FILE,
    MAX_NEAR_BITS,
    between_patients,
    check_leakage,
    find_near_duplicates,
    find_near_duplicates_between,
    perceptual_hash,
    read_hashes,
    split_patients,
    write_near_duplicates,
)
from elbow_core.errors import ArchiveError, ManifestError
from elbow_core.sources.synthetic import render_radiograph
from tests.support.tiny_images import row


def distance(one: np.ndarray, other: np.ndarray) -> int:
    return int(np.bitwise_count(one ^ other).sum())


@pytest.fixture(scope="module")
def radiographs() -> list[np.ndarray]:
    return [
        render_radiograph(
            np.random.default_rng([3, seed]), ("ap", "lateral")[seed % 2], "normal", 320
        ).pixels
        for seed in range(8)
    ]


EDITS = {
    "smaller": lambda image: cv2.resize(image, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA),
    "larger": lambda image: cv2.resize(image, None, fx=3, fy=3),
    "stretched": lambda image: cv2.resize(image, (300, 300)),
    "jpeg": lambda image: cv2.imdecode(
        cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 40])[1], cv2.IMREAD_GRAYSCALE
    ),
    "brighter": lambda image: np.clip(image.astype(float) * 1.2 + 10, 0, 255).astype(np.uint8),
    "gamma": lambda image: (255 * (image / 255) ** 0.7).astype(np.uint8),
}


@pytest.mark.parametrize("edit", EDITS)
def test_edited_copies_of_a_radiograph_are_near_duplicates(radiographs, edit):
    for image in radiographs:
        copy = np.asarray(EDITS[edit](image))
        assert distance(perceptual_hash(image), perceptual_hash(copy)) <= MAX_NEAR_BITS


def test_radiographs_of_different_patients_are_far_apart(radiographs):
    hashes = [perceptual_hash(image) for image in radiographs]
    distances = [
        distance(one, other) for number, one in enumerate(hashes) for other in hashes[number + 1 :]
    ]
    assert min(distances) > MAX_NEAR_BITS


def test_blank_image_has_a_hash():
    assert not perceptual_hash(np.full((40, 50), 9, np.uint8)).any()


def brute_force(hashes: np.ndarray, max_bits: int) -> set[tuple[int, int, int]]:
    return {
        (one, other, distance(hashes[one], hashes[other]))
        for one in range(len(hashes))
        for other in range(one + 1, len(hashes))
        if distance(hashes[one], hashes[other]) <= max_bits
    }


def test_pairs_are_those_of_brute_force_whatever_the_blocks():
    rng = np.random.default_rng(0)
    hashes = rng.integers(0, 256, (75, 32), np.uint8)
    hashes[40:60] = hashes[:20]
    hashes[40:60, 0] ^= rng.integers(1, 16, 20, np.uint8)
    found = find_near_duplicates(hashes, 110)
    assert {tuple(pair) for pair in found.tolist()} == brute_force(hashes, 110)
    assert len(found) > 20
    assert found.tolist() == sorted(found.tolist())


def test_pairs_between_two_sets_are_those_of_brute_force_whatever_the_blocks():
    rng = np.random.default_rng(1)
    hashes, others = rng.integers(0, 256, (70, 32), np.uint8), rng.integers(0, 256, (4200, 32))
    others = others.astype(np.uint8)
    others[[0, 4150]] = hashes[[3, 60]]
    expected = [
        [one, other, distance(hashes[one], others[other])]
        for one in range(len(hashes))
        for other in np.flatnonzero(
            np.bitwise_count(hashes[one] ^ others).sum(axis=1, dtype=int) <= 95
        ).tolist()
    ]
    assert find_near_duplicates_between(hashes, others, 95).tolist() == expected
    assert len(expected) > 2
    assert find_near_duplicates_between(hashes[:0], others).shape == (0, 3)


def test_of_equal_hashes_each_is_paired_with_the_first_only():
    hashes = np.zeros((5000, 32), np.uint8)
    hashes[1::2] = 1
    found = find_near_duplicates(hashes)
    assert len(found) == 4999
    assert [pair for pair in found.tolist() if pair[2]] == [[0, 1, 32]]


def test_too_many_pairs_are_an_error():
    rng = np.random.default_rng(0)
    hashes = np.zeros((2200, 32), np.uint8)
    hashes[:, :2] = rng.permutation(2**16)[:2200, None] >> np.array([0, 8]) & 255
    with pytest.raises(ManifestError, match=r"more than 2000000 pairs .*near_duplicates: ignore"):
        find_near_duplicates(hashes)


def test_memory_does_not_grow_with_the_square_of_the_images():
    hashes = np.random.default_rng(0).integers(0, 256, (6000, 32), np.uint8)
    tracemalloc.start()
    find_near_duplicates(hashes)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 10 * 2**20  # One byte per pair would be 34 MiB.


@pytest.mark.slow
def test_45_000_images_are_compared_within_2_gib():
    hashes = np.random.default_rng(0).integers(0, 256, (45_000, 32), np.uint8)
    hashes[100::450] = hashes[::450] ^ np.uint8(1)
    tracemalloc.start()
    found = find_near_duplicates(hashes)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(found) == 100
    assert peak < 100 * 2**20


def test_table_names_both_images_and_leaves_out_pairs_of_one_patient(tmp_path):
    rows = [
        row("a", patient_id="p", split="train"),
        row("b", patient_id="p", split="train"),
        row("c", patient_id="q", split="test", label=1),
    ]
    pairs = between_patients(rows, np.array([[0, 1, 3], [0, 2, 5]]))
    write_near_duplicates(tmp_path / "near.csv", rows, pairs)
    with (tmp_path / "near.csv").open(newline="") as file:
        (line,) = csv.DictReader(file)
    assert line == {
        "image_id": "a",
        "other_id": "c",
        "bits": "5",
        "split": "train",
        "other_split": "test",
        "label": "normal",
        "other_label": "injury",
    }


def test_pairs_and_chains_of_pairs_stay_in_one_split():
    rows = [row(f"p{number}", label=number % 2) for number in range(60)]
    pairs = [(0, 20), (20, 41), (41, 59)]
    shares = {"train": 0.5, "validation": 0.25, "test": 0.25}
    for seed in range(5):
        assigned = split_patients(rows, shares, seed, pairs)
        check_leakage(assigned)
        assert len({assigned[position].split for position in (0, 20, 41, 59)}) == 1


def test_real_radiographs_that_were_published_twice_are_found(real_radiographs):
    folder = real_radiographs / "fracatlas_upper_limb/images"
    names = ("IMG0000006", "IMG0001998", "IMG0002298", "IMG0002467", "IMG0003246", "IMG0003880")
    images = [cv2.imread(str(folder / f"{name}.jpg"), cv2.IMREAD_GRAYSCALE) for name in names]
    hashes = np.stack([perceptual_hash(np.asarray(image)) for image in images])
    # By inspection: two images published twice with retouched markers, and two different hands.
    assert [pair[:2] for pair in find_near_duplicates(hashes).tolist()] == [[0, 1], [2, 3]]


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros((4, 32), np.uint8), "does not hold the perceptual hashes of 5 images"),
        (np.zeros((5, 31), np.uint8), "does not hold the perceptual hashes of 5 images"),
        (np.zeros((5, 32), np.int8), "does not hold the perceptual hashes of 5 images"),
        (np.zeros((5, 32), object), "does not hold the perceptual hashes of 5 images"),
        (b"", "is damaged"),
        (b"\x93NUMPY\x01\x00v\x00{'descr': [", "is damaged"),
        (b"PK\x03\x04", "is damaged"),
        (bytes(10_000), "has more than 4256 bytes"),
    ],
)
def test_damaged_file_of_hashes_is_refused(tmp_path, array, message):
    if isinstance(array, bytes):
        (tmp_path / HASHES_FILE).write_bytes(array)
    else:
        np.save(tmp_path / HASHES_FILE, array, allow_pickle=True)
    with pytest.raises(ArchiveError, match=message):
        read_hashes(tmp_path, 5)


def test_hashes_are_read_and_may_be_missing(tmp_path):
    assert read_hashes(tmp_path, 5) is None
    hashes = np.random.default_rng(0).integers(0, 256, (5, 32), np.uint8)
    np.save(tmp_path / HASHES_FILE, hashes)
    np.testing.assert_array_equal(read_hashes(tmp_path, 5), hashes)


def test_truncated_file_of_hashes_is_refused(tmp_path):
    np.save(tmp_path / HASHES_FILE, np.zeros((5, 32), np.uint8))
    content = (tmp_path / HASHES_FILE).read_bytes()
    for length in range(0, len(content), 7):
        (tmp_path / HASHES_FILE).write_bytes(content[:length])
        with pytest.raises(ArchiveError, match="is damaged"):
            read_hashes(tmp_path, 5)
