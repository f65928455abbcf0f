"""No model is judged on what it learnt from, whatever happened to the data in between."""

from dataclasses import replace

import pytest

from elbow_core.dataset import (
    NOTHING_SEEN,
    UNKNOWN_SEEN,
    images_learnt_from,
    open_prepared,
    refuse_seen,
)
from elbow_core.dataset.seen_images import parse_seen_images
from elbow_core.errors import ManifestError
from tests.support.prepare_folders import edited, prepare_and_open

HELD_OUT = ("validation", "test")


def test_own_data_may_be_judged_in_every_split(first):
    seen = images_learnt_from(first)
    assert len(seen.images) == sum(row.split in ("train", "validation") for row in first.rows)
    assert refuse_seen(seen, first, ("train", "validation", "test"), "model") == []


def test_other_split_of_the_same_images_is_refused_with_images_and_split(first, sources, tmp_path):
    other = prepare_and_open(sources, tmp_path / "data", seed=1)
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
    def move(rows):
        chosen = next(row for row in rows if row.split == learnt).image_id
        return [replace(row, split=judged) if row.image_id == chosen else row for row in rows]

    data = open_prepared(edited(first, tmp_path / "edited", move))
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
    other = prepare_and_open(config, tmp_path / "data", seed=1)
    with pytest.raises(ManifestError, match=r"split 'test': injury/xp\S+ \(in "):
        refuse_seen(images_learnt_from(first), other, ("test",), "model")


def test_another_image_of_a_patient_is_refused_within_its_source(first, tmp_path):
    patient = next(row for row in first.rows if row.split == "train")

    def changed(rows, source):
        return [
            replace(
                row,
                patient_id=patient.patient_id.upper(),
                sha256=f"{number:064x}",
                source=source or row.source,
            )
            if row.split == "test"
            else row
            for number, row in enumerate(rows)
        ]

    seen = images_learnt_from(first)
    data = open_prepared(edited(first, tmp_path / "same", lambda rows: changed(rows, None)))
    with pytest.raises(ManifestError, match=rf"\(patient {patient.patient_id.upper()} in train\)"):
        refuse_seen(seen, data, ("test",), "model")
    data = open_prepared(edited(first, tmp_path / "other", lambda rows: changed(rows, "mura")))
    assert refuse_seen(seen, data, ("test",), "model") == []


def test_image_without_a_digest_is_refused(first, tmp_path):
    data = open_prepared(
        edited(first, tmp_path / "edited", lambda rows: [replace(row, sha256="") for row in rows])
    )
    for compare in (
        images_learnt_from,
        lambda data: refuse_seen(images_learnt_from(first), data, ("test",), "model"),
    ):
        with pytest.raises(ManifestError, match="has no sha256"):
            compare(data)


def test_union_keeps_the_images_of_all_runs(first, sources, tmp_path):
    other = prepare_and_open(sources, tmp_path / "data", seed=1)
    seen = images_learnt_from(first) | images_learnt_from(other)
    assert seen.images == images_learnt_from(first).images | images_learnt_from(other).images
    assert seen.complete
    assert not (seen | UNKNOWN_SEEN).complete
    assert (seen | NOTHING_SEEN) == seen


def test_unknown_origin_is_a_line_and_stays_in_the_file(first):
    seen = parse_seen_images((images_learnt_from(first) | UNKNOWN_SEEN).to_bytes())
    (line,) = refuse_seen(seen, first, HELD_OUT, "model")
    assert line.startswith("model: its first weights do not say what they learnt from")
