"""No model is judged on what it learnt from, whatever happened to the data in between."""

import csv
import json
import re
from pathlib import Path

import numpy as np
import pytest

from elbow_core.dataset import (
    NOTHING_SEEN,
    UNKNOWN_SEEN,
    SeenImages,
    images_learnt_from,
    open_prepared,
    read_manifest,
    read_seen_images,
    refuse_seen,
    write_manifest,
)
from elbow_core.dataset.seen_images import SeenImage, parse_seen_images, patient_digest
from elbow_core.errors import ArchiveError, ConfigError, ManifestError
from elbow_core.prepare import DataConfig, FractionSplit, prepare
from tests.support.prepare_folders import write_images

HELD_OUT = ("validation", "test")


@pytest.fixture(scope="module")
def sources(tmp_path_factory) -> DataConfig:
    """A folder of 48 images of 24 patients, and a configuration; read-only."""
    return write_images(tmp_path_factory.mktemp("sources"))


def prepared(config: DataConfig, out: Path, seed: int = 0, key: bytes | None = None):
    """Prepare the images with another seed, or with a key; open the result."""
    changes = {"out": out, "split": FractionSplit(train=0.5, validation=0.25, test=0.25, seed=seed)}
    if key is not None:
        out.with_suffix(".key").write_bytes(key)
        changes["id_key"] = out.with_suffix(".key")
    prepare(config.model_copy(update=changes))
    return open_prepared(out)


@pytest.fixture(scope="module")
def first(sources, tmp_path_factory):
    """The data of an earlier run."""
    return prepared(sources, tmp_path_factory.mktemp("first") / "data")


def edited(data, folder: Path, change) -> Path:
    """Copy a prepared folder with an edited manifest."""
    folder.mkdir()
    for file in data.directory.iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    write_manifest(folder / "manifest.csv", change(read_manifest(folder / "manifest.csv")))
    return folder


def test_own_data_may_be_judged_in_every_split(first):
    seen = images_learnt_from(first)
    assert len(seen.images) == sum(row.split in ("train", "validation") for row in first.rows)
    assert refuse_seen(seen, first, ("train", "validation", "test"), "model") == []


def test_other_split_of_the_same_images_is_refused_with_images_and_split(first, sources, tmp_path):
    other = prepared(sources, tmp_path / "data", seed=1)
    former = {row.sha256: row.split for row in first.rows}
    leaked = [row for row in other.rows if row.split == "test" and former[row.sha256] != "test"]
    assert leaked
    with pytest.raises(ManifestError) as refusal:
        refuse_seen(images_learnt_from(first), other, ("test",), "the model")
    line = str(refusal.value)
    assert f"{len(leaked)} images of the split 'test'" in line
    assert f"{leaked[0].image_id} (in {former[leaked[0].sha256]})" in line
    assert "leak: the model learnt from" in line
    assert refuse_seen(images_learnt_from(first), other, ("train",), "the model") == []


@pytest.mark.parametrize(
    ("learnt", "judged", "refused"),
    [
        ("train", "test", True),
        ("train", "validation", True),
        ("validation", "test", True),
        ("validation", "validation", False),
        ("validation", "train", False),
        ("train", "train", False),
    ],
)
def test_training_images_leak_into_both_held_out_sets_and_validation_into_the_test(
    first, tmp_path, learnt, judged, refused
):
    def moved(rows):
        chosen = next(row for row in rows if row.split == learnt).image_id
        return [
            type(row)(**{**{c: getattr(row, c) for c in row.__slots__}, "split": judged})
            if row.image_id == chosen
            else row
            for row in rows
        ]

    data = open_prepared(edited(first, tmp_path / "edited", moved))
    if refused:
        with pytest.raises(ManifestError, match=rf"split '{judged}': .* \(in {learnt}\)"):
            refuse_seen(images_learnt_from(first), data, (judged,), "model")
    else:
        refuse_seen(images_learnt_from(first), data, (judged,), "model")


def test_names_labels_and_patients_do_not_hide_an_image(first, sources, tmp_path):
    """The same files under other names, with other patients and the other label."""
    root = tmp_path / "root"
    for path in sorted(sources.root.rglob("*.*")):
        label = {"normal": "injury", "injury": "normal"}[path.parent.name]
        renamed = root / label / f"x{path.name}"
        renamed.parent.mkdir(parents=True, exist_ok=True)
        renamed.write_bytes(path.read_bytes())
    source = sources.source.model_copy(update={"patient": r"(?P<patient>xp\d+)"})
    config = sources.model_copy(update={"root": root, "source": source})
    other = prepared(config, tmp_path / "data", seed=1)
    with pytest.raises(ManifestError, match=r"split 'test': injury/xp\S+ \(in "):
        refuse_seen(images_learnt_from(first), other, ("test",), "model")


def test_another_image_of_a_patient_is_refused_within_its_source(first, tmp_path):
    patient = next(row for row in first.rows if row.split == "train")

    def changed(rows, source):
        kept = []
        for row in rows:
            fields = {column: getattr(row, column) for column in row.__slots__}
            if row.split == "test":
                digest = f"{len(kept):064x}"
                fields |= {"patient_id": patient.patient_id.upper(), "sha256": digest}
                fields |= {"source": source or row.source}
            kept.append(type(row)(**fields))
        return kept

    seen = images_learnt_from(first)
    data = open_prepared(edited(first, tmp_path / "same", lambda rows: changed(rows, None)))
    with pytest.raises(ManifestError, match=rf"\(patient {patient.patient_id.upper()} in train\)"):
        refuse_seen(seen, data, ("test",), "model")
    data = open_prepared(edited(first, tmp_path / "other", lambda rows: changed(rows, "mura")))
    assert refuse_seen(seen, data, ("test",), "model") == []


def test_union_keeps_the_images_of_all_runs(first, sources, tmp_path):
    other = prepared(sources, tmp_path / "data", seed=1)
    seen = images_learnt_from(first) | images_learnt_from(other)
    assert seen.images == images_learnt_from(first).images | images_learnt_from(other).images
    assert seen.complete
    assert not (seen | UNKNOWN_SEEN).complete
    assert (seen | NOTHING_SEEN) == seen


def test_unknown_origin_is_a_line_and_stays_in_the_file(first):
    seen = parse_seen_images((images_learnt_from(first) | UNKNOWN_SEEN).to_bytes())
    (line,) = refuse_seen(seen, first, HELD_OUT, "model")
    assert line.startswith("model: its first weights do not say what they learnt from")


KEY, OTHER_KEY = bytes(range(32)), bytes(32)


def test_keyed_digests_say_nothing_without_the_key(first, sources, tmp_path):
    keyed = prepared(sources, tmp_path / "data", key=KEY)
    content = images_learnt_from(keyed).to_bytes().decode()
    assert len(content.splitlines()) == 1 + len(images_learnt_from(keyed).images)
    for row in first.rows:
        assert row.sha256 not in content
        assert patient_digest(row) not in content
    index = (tmp_path / "data/index.json").read_text()
    assert not any(row.sha256 in index for row in first.rows)


def test_keyed_data_are_compared_under_their_key(sources, tmp_path):
    seen = images_learnt_from(prepared(sources, tmp_path / "data", key=KEY))
    again = prepared(sources, tmp_path / "again", seed=1, key=KEY)
    with pytest.raises(ManifestError, match=r"split 'test': [0-9a-f]{32} \(in "):
        refuse_seen(seen, again, ("test",), "model")


@pytest.mark.parametrize("key", [None, OTHER_KEY], ids=["plain", "other"])
def test_keyed_images_are_not_judged_with_another_key_or_without_one(sources, tmp_path, key):
    seen = images_learnt_from(prepared(sources, tmp_path / "data", key=KEY))
    other = prepared(sources, tmp_path / "other", key=key)
    with pytest.raises(ConfigError, match=r"another id_key, .*; prepare these data with that"):
        refuse_seen(seen, other, ("test",), "model")


def test_plain_images_are_compared_with_keyed_data_and_their_patients_are_not(
    first, sources, tmp_path
):
    seen = images_learnt_from(first)
    keyed = prepared(sources, tmp_path / "data", seed=1, key=KEY)
    with pytest.raises(ManifestError, match="split 'test'"):
        refuse_seen(seen, keyed, ("test",), "model")
    tested = {row.sha256 for row in keyed.rows if row.split == "test"}
    others = SeenImages(frozenset(i for i in seen.images if i.image not in tested), True)
    (line,) = refuse_seen(others, keyed, ("test",), "model")
    assert "its patients were not compared" in line


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


def test_image_without_a_digest_is_refused(first, tmp_path):
    def bare(rows):
        return [
            type(row)(**{**{c: getattr(row, c) for c in row.__slots__}, "sha256": ""})
            for row in rows
        ]

    data = open_prepared(edited(first, tmp_path / "edited", bare))
    for compare in (
        images_learnt_from,
        lambda data: refuse_seen(images_learnt_from(first), data, ("test",), "model"),
    ):
        with pytest.raises(ManifestError, match="has no sha256"):
            compare(data)


def former_index(data, folder: Path) -> Path:
    """Copy a prepared folder with an index of format 2."""
    edited(data, folder, list)
    index = json.loads((folder / "index.json").read_text())
    former = {key: value for key, value in index.items() if key not in ("key", "digests")}
    (folder / "index.json").write_text(json.dumps(former | {"format": 2}))
    return folder


def test_former_index_of_plain_data_is_read(first, tmp_path):
    data = open_prepared(former_index(first, tmp_path / "former"))
    np.testing.assert_array_equal(data.archive[0], first.archive[0])
    assert images_learnt_from(data) == images_learnt_from(first)


def test_former_index_of_keyed_data_is_opened_and_not_learnt_from(sources, tmp_path):
    keyed = prepared(sources, tmp_path / "data", key=KEY)
    data = open_prepared(former_index(keyed, tmp_path / "former"))
    with pytest.raises(ConfigError, match=r"did not record .*; prepare it again"):
        images_learnt_from(data)


@pytest.mark.parametrize(
    "change",
    [
        {"key": None},
        {"key": "k"},
        {"key": 5},
        {"key": ["a"]},
        {"key": ""},
        {"digests": []},
        {"digests": None},
        {"digests": ["a"] * 48},
        {"format": True},
        {"format": 4},
        {"more": 1},
    ],
)
def test_index_with_wrong_keys_is_refused(sources, tmp_path, change):
    prepared(sources, tmp_path / "data", key=KEY)
    file = tmp_path / "data/index.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | change))
    with pytest.raises(ArchiveError, match=re.escape(str(file))):
        open_prepared(tmp_path / "data")
