"""Corrected labels: a file of verdicts is applied, recorded, or refused with file and line."""

import hashlib
import json
from pathlib import Path

import pytest

from elbow_core.config import dump_config
from elbow_core.dataset import Region, hash_id, read_manifest
from elbow_core.errors import ManifestError, UserError
from elbow_core.prepare import CORRECTION_COLUMNS, DataConfig, corrected_images, prepare
from elbow_core.prepare import __main__ as command
from elbow_core.prepare.corrections import apply_corrections, read_corrections
from elbow_core.prepare.corrections_record import RECORD
from elbow_core.sources import ScanResult
from tests.support.commands import error_of
from tests.support.paths import names_in
from tests.support.prepare_folders import FILES, KEY, rejected, write_images
from tests.support.tiny_images import row

AUDITED = "a" * 64
HEADER = ",".join(CORRECTION_COLUMNS)


@pytest.fixture
def config(tmp_path) -> DataConfig:
    return write_images(tmp_path)


def corrected(config: DataConfig, *rows: str, **changes: object) -> DataConfig:
    """Write rows below the header of corrections; return a configuration that uses them."""
    path = config.root.parent / "corrections.csv"
    path.write_text("\n".join([HEADER, *(f"{row},{AUDITED}" for row in rows)]) + "\n")
    return config.model_copy(update={"corrections": path, **changes})


def labels(folder: Path) -> dict[str, int]:
    return {row.image_id: row.label for row in read_manifest(folder / "manifest.csv")}


def test_change_alone_changes_a_label_and_removes_its_finding(config):
    prepare(config.model_copy(update={"out": config.out.with_name("before")}))
    before = labels(config.out.with_name("before"))
    verdicts = ("normal/p00_0.png,0,1,change", "injury/p01_0.png,1,1,agree")
    config = corrected(config, *verdicts, "injury/p03_0.png,1,,unsure")
    assert prepare(config)
    assert labels(config.out) == before | {"normal/p00_0.png": 1}
    findings = {
        row.image_id: row.finding
        for row in read_manifest(config.out / "manifest.csv")
        if row.image_id in ("normal/p00_0.png", "normal/p00_1.jpg", "injury/p01_0.png")
    }
    assert findings == {
        "normal/p00_0.png": "",
        "normal/p00_1.jpg": "normal",
        "injury/p01_0.png": "injury",
    }


def test_record_names_the_file_by_its_digest_and_the_changed_images(config):
    config = corrected(config, "normal/p00_0.png,0,1,change", "injury/p03_0.png,1,,unsure")
    prepare(config)
    assert names_in(config.out) == sorted([*FILES, RECORD])
    record = json.loads((config.out / RECORD).read_text())
    assert config.corrections is not None
    assert record == {
        "schema": 1,
        "sha256": hashlib.sha256(config.corrections.read_bytes()).hexdigest(),
        "predictions_sha256": [AUDITED],
        "verdicts": {"agree": 0, "change": 1, "unsure": 1},
        "unsure": "keep",
        "changed": [{"image_id": "normal/p00_0.png", "old_label": 0, "new_label": 1}],
    }
    assert corrected_images(config.out) == {"normal/p00_0.png"}
    assert corrected_images(config.root) is None


def test_unsure_image_is_left_out_on_request_and_listed_with_the_reason(config, capsys):
    config = corrected(config, "injury/p03_0.png,1,,unsure", unsure="leave_out")
    path = config.root.parent / "data.yaml"
    path.write_text(dump_config(config))
    assert command.main(["--config", str(path)]) == 0
    assert "injury/p03_0.png" not in labels(config.out)
    assert len(labels(config.out)) == 47
    assert rejected(config) == {"injury/p03_0.png": "is left out: a reader was unsure of its label"}
    printed = capsys.readouterr().out
    line = "corrections: 0 labels changed, 0 confirmed, 1 unsure (left out)\n"
    assert line in printed
    assert command.main(["--config", str(path)]) == 0
    printed = capsys.readouterr().out
    assert "already prepared" in printed
    assert line in printed


def test_prepared_data_are_those_of_one_file_of_corrections(config):
    prepare(config)
    with pytest.raises(UserError, match="was prepared with other settings"):
        prepare(corrected(config, "normal/p00_0.png,0,0,agree"))
    changed = corrected(config, "normal/p00_0.png,0,0,agree", out=config.out.with_name("new"))
    assert prepare(changed)
    assert not prepare(changed)
    moved = changed.root.parent / "moved.csv"
    assert changed.corrections is not None
    changed.corrections.rename(moved)
    assert not prepare(changed.model_copy(update={"corrections": moved}))
    with pytest.raises(UserError, match="was prepared with other settings"):
        prepare(corrected(changed, "normal/p00_0.png,0,,unsure"))


def test_hashed_ids_are_those_of_the_audited_data_with_the_same_key(config, tmp_path):
    key = tmp_path / "key"
    key.write_bytes(KEY)
    keyed = config.model_copy(update={"id_key": key})
    prepare(keyed.model_copy(update={"out": tmp_path / "audited"}))
    audited = {row.image_id: row for row in read_manifest(tmp_path / "audited/manifest.csv")}
    image = hash_id(KEY, "image", "normal/p00_0.png")
    assert audited[image].label == 0
    config = corrected(keyed, f"{image},0,1,change")
    prepare(config)
    found = {row.image_id: row.label for row in read_manifest(config.out / "manifest.csv")}
    assert found[image] == 1
    assert sum(found.values()) == 1 + sum(row.label for row in audited.values())
    assert corrected_images(config.out) == {image}
    plain = corrected(config, f"{image},0,1,change", id_key=None, out=tmp_path / "plain")
    with pytest.raises(ManifestError, match="is not in the data set; give the source and the id_k"):
        prepare(plain)
    other = tmp_path / "other"
    other.write_bytes(KEY[::-1])
    with pytest.raises(ManifestError, match="id_key of the prepared data that were audited"):
        prepare(plain.model_copy(update={"id_key": other}))


def test_changed_image_loses_its_regions_and_a_confirmed_one_keeps_them(tmp_path):
    path = tmp_path / "corrections.csv"
    path.write_text(f"{HEADER}\na,1,0,change,\nb,1,1,agree,\nc,1,,unsure,\n")
    box = [Region("fracture", 1.0, 1.0, 4.0, 4.0)]
    rows = [row(name, label=1, finding="fracture") for name in "abcd"]
    found = ScanResult(rows, [], {f"{name}.png": box for name in "abcd"})
    applied = apply_corrections(found, read_corrections(path))
    assert set(applied.regions) == {"b.png", "c.png", "d.png"}
    assert [(row.label, row.finding) for row in applied.rows] == [(0, ""), *[(1, "fracture")] * 3]


@pytest.mark.parametrize(
    ("rows", "problem"),
    [
        (["gone.png,0,1,change"], ":2: image 'gone.png' is not in the data set"),
        (["normal/p00_0.png,1,0,change"], ":2: old_label: image 'normal/p00_0.png' is labelled 0"),
        (["normal/p00_0.png,0,0,change"], ":2: new_label: '0' contradicts the verdict 'change'"),
        (["normal/p00_0.png,0,1,agree"], ":2: new_label: '1' contradicts the verdict 'agree'"),
        (["normal/p00_0.png,0,0,unsure"], ":2: new_label: '0' contradicts the verdict 'unsure'"),
        (["normal/p00_0.png,0,0,yes"], ":2: verdict: 'yes' is not one of agree, change, unsure"),
        (["normal/p00_0.png,normal,0,agree"], ":2: old_label: 'normal' is not 0 or 1"),
        ([",0,0,agree"], ":2: image_id: is empty"),
        (
            ["normal/p00_0.png,0,0,agree", "normal/p00_0.png ,0,1,change"],
            ":3: image 'normal/p00_0.png ': change (old label 0) contradicts agree (old label 0)",
        ),
        ([], ": no corrections below the header"),
    ],
)
def test_wrong_row_is_refused_with_file_and_line_before_anything_is_written(
    config, tmp_path, capsys, rows, problem
):
    config = corrected(config, *rows)
    (tmp_path / "data.yaml").write_text(dump_config(config))
    line = error_of(capsys, command, "--config", str(tmp_path / "data.yaml"))
    assert f"{config.corrections}{problem}" in line
    assert not config.out.exists()


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("image_id,label\na,0\n", ":1: the header must be image_id,old_label,"),
        (f"{HEADER}\nnormal/p00_0.png,0,0,agree,123\n", ":2: predictions_sha256: '123' is not 64"),
        (None, ": cannot be read: No such file"),
    ],
)
def test_other_files_are_refused(config, content, problem):
    path = config.root.parent / "corrections.csv"
    if content is not None:
        path.write_text(content)
    with pytest.raises(ManifestError) as caught:
        prepare(config.model_copy(update={"corrections": path}))
    assert str(caught.value).startswith(f"{path}{problem}")


def test_equal_rows_of_two_readers_count_once(config):
    config = corrected(config, *["normal/p00_0.png,0,1,change"] * 2)
    prepare(config)
    assert json.loads((config.out / RECORD).read_text())["verdicts"]["change"] == 1


def test_damaged_record_is_refused(config):
    prepare(corrected(config, "normal/p00_0.png,0,1,change"))
    for content in ("{", "[]", '{"schema": 1}'):
        (config.out / RECORD).write_text(content)
        with pytest.raises(ManifestError, match=r"corrections\.json: is not"):
            corrected_images(config.out)


def test_leaving_out_needs_a_file_of_corrections(config):
    with pytest.raises(ValueError, match="unsure is leave_out without corrections"):
        DataConfig(**{**config.model_dump(), "unsure": "leave_out"})
