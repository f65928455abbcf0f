import json
import multiprocessing
import pickle
from pathlib import Path

import numpy as np
import pytest

from elbow_core.dataset import (
    INDEX_FILE,
    open_archive,
    segment_length,
    write_archive,
    write_segment,
)
from elbow_core.errors import ArchiveError, UserError
from tests.support.tiny_images import make_image

RECORDS = "images-00000.array_record"
SETTINGS = {"size": 32, "sigma": 7.0}
IMAGES = [make_image(seed, 32, 32) for seed in range(40)]
IDS = [f"image {number}" for number in range(40)]


@pytest.fixture
def folder(tmp_path) -> Path:
    write_archive(tmp_path, IDS, iter(IMAGES), SETTINGS, fingerprint="abc")
    return tmp_path


def fails(folder: Path) -> str:
    with pytest.raises(ArchiveError) as caught:
        open_archive(folder)
    message = str(caught.value)
    assert message.startswith(str(folder))
    assert "\n" not in message
    return message.removeprefix(f"{folder}/")


def change_index(folder: Path, **changes: object) -> None:
    index = json.loads((folder / INDEX_FILE).read_text())
    (folder / INDEX_FILE).write_text(json.dumps(index | changes))


def change_segment(folder: Path, **changes: object) -> None:
    (segment,) = json.loads((folder / INDEX_FILE).read_text())["segments"]
    change_index(folder, segments=[segment | changes])


def test_images_come_back_bit_for_bit_in_their_order(folder):
    archive = open_archive(folder)
    assert len(archive) == 40
    assert archive.ids == tuple(IDS)
    assert archive.size == 32
    assert archive.settings == SETTINGS
    assert archive.fingerprint == "abc"
    for position in (39, 0, 17, 17):
        assert archive[position].dtype == np.uint8
        assert np.array_equal(archive[position], IMAGES[position])


def test_several_images_come_in_the_requested_order(folder):
    positions = [5, 39, 5, np.int64(0)]
    for image, position in zip(
        open_archive(str(folder)).__getitems__(positions), positions, strict=True
    ):
        assert np.array_equal(image, IMAGES[position])


@pytest.mark.parametrize("position", [-1, 40, 1000])
def test_position_out_of_range_is_an_index_error(folder, position):
    with pytest.raises(IndexError, match=f"no image {position} among 40"):
        open_archive(folder)[position]


def test_archive_is_a_sequence_that_ends(folder):
    assert sum(1 for _ in open_archive(folder)) == 40


def test_pickled_archive_reads_and_carries_no_pixels(folder):
    archive = open_archive(folder)
    assert np.array_equal(archive[3], IMAGES[3])
    data = pickle.dumps(archive)
    assert len(data) < 2000
    assert np.array_equal(pickle.loads(data)[3], IMAGES[3])


@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_another_process_reads_the_same(folder, method):
    archive = open_archive(folder)
    assert np.array_equal(archive[3], IMAGES[3])
    with multiprocessing.get_context(method).Pool(1) as pool:
        assert np.array_equal(pool.apply(archive.__getitem__, (3,)), IMAGES[3])


def test_same_images_give_the_same_bytes(folder, tmp_path):
    write_archive(tmp_path / "again", IDS, IMAGES, SETTINGS, fingerprint="abc")
    for name in (RECORDS, INDEX_FILE):
        assert (tmp_path / "again" / name).read_bytes() == (folder / name).read_bytes()


def test_repr_contains_the_fingerprint_and_no_path(folder):
    assert repr(open_archive(folder)) == "Archive(abc, 40 images)"


def test_empty_folder_says_what_to_run(tmp_path):
    assert fails(tmp_path) == "index.json: is missing; run python -m elbow_core.prepare"


def test_index_without_records_says_what_to_run(folder):
    (folder / RECORDS).unlink()
    assert fails(folder) == f"{RECORDS}: is missing; prepare it again"


def test_truncated_records_are_refused(folder):
    whole = (folder / RECORDS).read_bytes()
    for length in (0, 1, 65536, len(whole) // 2, len(whole) - 1):
        (folder / RECORDS).write_bytes(whole[:length])
        assert "cut short or from another run; prepare it again" in fails(folder)
        change_segment(folder, bytes=length)
        assert "prepare it again" in fails(folder)
        change_segment(folder, bytes=len(whole))


def test_record_of_another_run_is_refused(folder, tmp_path):
    other = [image[::-1] for image in IMAGES]
    write_archive(tmp_path / "other", IDS, other, SETTINGS)
    (tmp_path / "other" / RECORDS).replace(folder / RECORDS)
    change_segment(folder, bytes=(folder / RECORDS).stat().st_size)
    assert "does not match its index; prepare it again" in fails(folder)


@pytest.mark.parametrize(
    "changes",
    [
        {"format": 1},
        {"size": 64},
        {"segments": []},
        {"segments": 3},
        {"segments": [{"count": 40}]},
        {"ids": IDS[:-1]},
        {"settings": {"size": 64}},
        {"more": 1},
    ],
)
def test_inconsistent_index_is_refused(folder, changes):
    change_index(folder, **changes)
    assert fails(folder).startswith("index.json: ")


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"format": 1}'])
def test_text_that_is_not_an_index_is_refused(folder, text):
    (folder / INDEX_FILE).write_text(text)
    assert fails(folder).endswith("prepare it again")


def test_damage_in_the_middle_is_an_error(folder):
    data = bytearray((folder / RECORDS).read_bytes())
    for position in range(100, len(data), len(data) // 50):
        data[position] ^= 0xFF
    (folder / RECORDS).write_bytes(data)
    assert fails(folder).endswith("prepare it again")


def test_damage_after_opening_is_an_archive_error(folder):
    archive = open_archive(folder)
    (folder / RECORDS).write_bytes(bytes((folder / RECORDS).stat().st_size))
    with pytest.raises(ArchiveError, match="is damaged; prepare it again"):
        archive[0]


@pytest.mark.parametrize("count", [39, 41])
def test_number_of_ids_and_images_must_be_equal(tmp_path, count):
    images = [IMAGES[0]] * count
    with pytest.raises(ArchiveError, match="as many images as ids"):
        write_archive(tmp_path, IDS, iter(images), SETTINGS)
    assert "is missing" in fails(tmp_path)


def test_image_of_another_size_and_repeated_id_are_refused(tmp_path):
    with pytest.raises(ArchiveError, match=r"b: is \(32, 33\), the archive's side is 32"):
        write_archive(tmp_path / "a", ["a", "b"], [IMAGES[0], make_image(0, 32, 33)], SETTINGS)
    with pytest.raises(ArchiveError, match="a: the id is repeated"):
        write_archive(tmp_path / "b", ["a", "a"], IMAGES[:2], SETTINGS)
    assert "is missing" in fails(tmp_path / "b")


def test_long_archive_is_several_files_and_reads_as_one(tmp_path):
    images = [make_image(seed % 7, 32, 32) + np.uint8(seed % 50) for seed in range(300)]
    write_archive(tmp_path, [str(number) for number in range(300)], iter(images), SETTINGS)
    files = sorted(path.name for path in tmp_path.iterdir())
    assert files == [f"images-{number:05d}.array_record" for number in range(5)] + [INDEX_FILE]
    archive = open_archive(tmp_path)
    for position in (299, 0, 63, 64, 255, 256):
        assert np.array_equal(archive[position], images[position])
    assert sum(1 for _ in archive) == 300


def test_swapped_segments_are_refused(tmp_path):
    images = [make_image(seed, 32, 32) for seed in range(128)]
    write_archive(tmp_path, [str(number) for number in range(128)], images, SETTINGS)
    first, second = (tmp_path / f"images-0000{number}.array_record" for number in range(2))
    assert first.stat().st_size == second.stat().st_size
    first.rename(tmp_path / "swapped")
    second.rename(first)
    (tmp_path / "swapped").rename(second)
    assert "does not match its index" in fails(tmp_path)


def test_no_archive_needs_more_than_256_files():
    lengths = [segment_length(images) for images in (1, 64, 4369, 40_005, 10**6)]
    assert lengths == [64, 64, 64, 157, 3907]


def test_segment_that_cannot_be_written_is_an_error_of_one_line(tmp_path):
    with pytest.raises(UserError, match=r"no/a: cannot be written: "):
        write_segment(tmp_path / "no" / "a", 32, [("a", IMAGES[0])])


def test_error_of_the_image_iterator_is_raised(tmp_path):
    def images():
        yield IMAGES[0]
        raise ValueError("from the images")

    with pytest.raises(ValueError, match="from the images"):
        write_archive(tmp_path, ["a", "b"], images(), SETTINGS)


def test_one_constant_image_is_an_archive(tmp_path):
    write_archive(tmp_path, ["a"], [np.zeros((32, 32), np.uint8)], SETTINGS)
    assert not open_archive(tmp_path)[0].any()
