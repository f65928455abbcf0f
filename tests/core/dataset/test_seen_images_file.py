"""The file seen_images.csv: what it holds, and which files are refused."""

import csv

import pytest

from elbow_core.dataset import (
    NOTHING_SEEN,
    UNKNOWN_SEEN,
    SeenImages,
    images_learnt_from,
    read_seen_images,
)
from elbow_core.dataset.seen_images import SeenImage, parse_seen_images
from elbow_core.errors import ConfigError


def test_file_is_read_back_and_equal_sets_give_equal_bytes(first, tmp_path):
    seen = images_learnt_from(first)
    entry, files = seen.for_run()
    (name,), (digest,) = files, entry.values()
    (tmp_path / name).write_bytes(files[name])
    assert read_seen_images(tmp_path / name, digest) == seen
    shuffled = SeenImages(frozenset(sorted(seen.images)[::-1]), True)
    assert shuffled.to_bytes() == files[name]
    with (tmp_path / name).open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert {SeenImage(row["key"], row["split"], row["image"], row["patient"]) for row in rows} == (
        seen.images
    )


def test_other_file_is_refused(first, tmp_path):
    entry, files = images_learnt_from(first).for_run()
    (name,), (digest,) = files, entry.values()
    lines = files[name].splitlines(keepends=True)
    (tmp_path / name).write_bytes(b"".join(lines[:-1]))
    with pytest.raises(ConfigError, match="SHA-256 differs"):
        read_seen_images(tmp_path / name, digest)
    (tmp_path / name).unlink()
    with pytest.raises(ConfigError, match="No such file"):
        read_seen_images(tmp_path / name, digest)
    (tmp_path / name).symlink_to("/dev/zero")
    with pytest.raises(ConfigError, match="is not a regular file"):
        read_seen_images(tmp_path / name, digest)


ROW = f"1,,train,{'a' * 64},{'b' * 64}\n"
HEADER = "version,key,split,image,patient\n"


def test_smallest_file_is_read():
    assert len(parse_seen_images((HEADER + ROW).encode()).images) == 1
    assert parse_seen_images(HEADER.encode()) == NOTHING_SEEN
    assert parse_seen_images(f"{HEADER}1,,unknown,,\n".encode()) == UNKNOWN_SEEN


@pytest.mark.parametrize(
    "text",
    [
        "",
        HEADER[:-1],
        HEADER + ROW[:-1],
        HEADER + ROW + ROW,
        HEADER + ROW.replace("train", "validation") + ROW,
        HEADER + ROW + "1,,unknown,,\n",
        HEADER + ROW.replace("train", "test"),
        HEADER + ROW.replace("a" * 64, "a" * 63),
        HEADER + ROW.replace("a" * 64, "A" * 64),
        HEADER + ROW.replace("1,,", "1,k,"),
        HEADER + ROW.replace("1,,", "2,,"),
        HEADER + ROW.replace("\n", "\r\n"),
        HEADER + "\n" + ROW,
        HEADER + ROW.replace("b", "ü"),
        "\ufeff" + HEADER + ROW,
        "version,split,image,patient\n",
    ],
)
def test_content_of_another_form_is_refused_in_one_line(text):
    with pytest.raises(ValueError, match=r"\S") as refusal:
        parse_seen_images(text.encode())
    assert len(str(refusal.value).splitlines()) == 1
