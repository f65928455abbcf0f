"""`evaluate` and `train` refuse data that a model learnt from, whatever happened in between."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from elbow_core.dataset import open_prepared
from elbow_core.errors import ConfigError, ManifestError, UserError
from elbow_core.prepare import DataConfig
from elbow_core.runs import data_fingerprint
from elbow_jax import evaluate, train
from elbow_jax.scoring import images_seen_by, read_card
from elbow_jax.training.initial.leakage import seen_before
from tests.support.commands import refusal_of, status_of
from tests.support.finished_runs import write_finished_run
from tests.support.prepare_folders import KEY, edit_manifest, prepare_and_open, write_images
from tests.support.small_data import write_prepared
from tests.support.training import write_config


@pytest.fixture(scope="module")
def sources(tmp_path_factory) -> DataConfig:
    """A folder of 48 images of 24 patients, and a configuration; read-only."""
    return write_images(tmp_path_factory.mktemp("sources"))


@pytest.fixture(scope="module")
def original(sources, tmp_path_factory) -> Path:
    """A finished run on the images, with its data beside it; read-only."""
    folder = tmp_path_factory.mktemp("original")
    write_finished_run(folder, prepare_and_open(sources, folder / "data").directory)
    return folder


@pytest.fixture
def finished(original, tmp_path) -> Path:
    """A copy of the run, with a copy of its data beside it."""
    folder = shutil.copytree(original, tmp_path / "copy")
    config = (folder / "run/config.yaml").read_text()
    (folder / "run/config.yaml").write_text(config.replace(str(original), str(folder)))
    return folder / "run"


def forge_fingerprint(run: Path, data: Path) -> None:
    """Make a run's record name the present data."""
    record = json.loads((run / "run.json").read_text())
    record["data_fingerprint"] = data_fingerprint(data)
    (run / "run.json").write_text(json.dumps(record))


def refused(capsys, run: Path, split: str = "test") -> str:
    line = refusal_of(capsys, evaluate, "--run", str(run), "--split", split)
    assert not list(run.glob("predictions_*"))
    assert not list(run.glob("report_*"))
    return line


def reprepare(sources: DataConfig, data: Path) -> None:
    shutil.rmtree(data)
    prepare_and_open(sources, data, seed=1)


def edit_labels(sources: DataConfig, data: Path) -> None:
    edit_manifest(data, lambda rows: [replace(row, label=1 - row.label) for row in rows])


def exchange_splits(sources: DataConfig, data: Path) -> None:
    other = {"train": "test", "test": "train", "validation": "validation"}
    edit_manifest(data, lambda rows: [replace(row, split=other[row.split]) for row in rows])


def rename_images(sources: DataConfig, data: Path) -> None:
    """The same files under other names, and in other splits."""
    root = data.parent / "renamed"
    for path in sorted(sources.root.rglob("*.*")):
        (root / path.parent.name).mkdir(parents=True, exist_ok=True)
        (root / path.parent.name / f"x{path.name}").write_bytes(path.read_bytes())
    source = sources.source.model_copy(update={"patient": r"(?P<patient>xp\d+)"})
    shutil.rmtree(data)
    prepare_and_open(sources.model_copy(update={"root": root, "source": source}), data, seed=1)


def add_an_image(sources: DataConfig, data: Path) -> None:
    root = data.parent / "more"
    shutil.copytree(sources.root, root)
    file = next(iter(sorted((root / "normal").iterdir())))
    (root / "normal/p99_0.png").write_bytes(file.read_bytes() + b"\0")
    shutil.rmtree(data)
    prepare_and_open(sources.model_copy(update={"root": root}), data, seed=1)


CHANGES = [reprepare, edit_labels, exchange_splits, rename_images, add_an_image]


@pytest.mark.parametrize("change", CHANGES)
def test_changed_data_are_refused_by_their_fingerprint(sources, finished, capsys, change):
    change(sources, finished.parent / "data")
    line = refused(capsys, finished)
    assert f"is not the data that {finished} began with" in line


@pytest.mark.parametrize("change", [c for c in CHANGES if c is not edit_labels])
def test_forged_fingerprint_does_not_hide_what_was_learnt(sources, finished, capsys, change):
    data = finished.parent / "data"
    change(sources, data)
    forge_fingerprint(finished, data)
    line = refused(capsys, finished)
    assert f"{data}: leak: {finished / 'model'} learnt from " in line
    assert "images of the split 'test': " in line or "images of the split 'validation': " in line


@pytest.mark.parametrize("damage", [lambda file: file.unlink(), lambda file: file.write_text("{}")])
def test_run_without_the_record_of_its_data_is_refused(finished, capsys, damage):
    damage(finished / "run.json")
    assert "restore it" in refused(capsys, finished)


def test_missing_or_changed_list_is_refused(finished, capsys):
    file = finished / "model/seen_images.csv"
    content = file.read_bytes()
    file.write_bytes(content.splitlines(keepends=True)[0])
    assert "SHA-256 differs" in refused(capsys, finished)
    file.unlink()
    assert "seen_images.csv: cannot be read" in refused(capsys, finished)


def make_former(run: Path) -> None:
    """Turn a run into one of the version before the list."""
    card = json.loads((run / "model/model.json").read_text()) | {"schema_version": 1}
    del card["seen_images_sha256"]
    (run / "model/model.json").write_text(json.dumps(card))
    (run / "model/seen_images.csv").unlink()
    (run / "seen_images.csv").unlink()
    record = json.loads((run / "run.json").read_text())
    del record["seen_images_sha256"]
    (run / "run.json").write_text(json.dumps(record))


def test_model_of_the_former_version_is_judged_with_a_line(sources, finished, capsys, monkeypatch):
    def stop(*_):
        raise UserError("scores are computed")

    make_former(finished)
    with monkeypatch.context() as patch:
        patch.setattr(evaluate.scoring, "Predictor", stop)
        assert status_of(evaluate, "--run", str(finished)) == 2
    line, last = capsys.readouterr().err.splitlines()
    assert last == "error: scores are computed"
    assert "does not list the images that it learnt from; only the fingerprint" in line
    reprepare(sources, finished.parent / "data")
    line = refusal_of(capsys, evaluate, "--run", str(finished))
    assert "is not the data that" in line


def test_training_on_weights_that_learnt_from_the_test_is_refused(sources, finished, capsys):
    """Also when the earlier run's data are gone, or were prepared with another split since."""
    folder = finished.parent
    other = prepare_and_open(sources, folder / "other", seed=1).directory
    config = write_config(
        folder,
        data={"prepared": str(other), "copies": 1},
        init=str(finished),
        run=str(folder / "b"),
    )
    for _ in range(2):
        line = refusal_of(capsys, train, "--config", str(config))
        assert f"leak: init: {finished} learnt from " in line
        assert "images of the split 'validation'" in line
        shutil.rmtree(folder / "data", ignore_errors=True)
    prepare_and_open(sources, folder / "data", seed=1)
    assert "leak: " in refusal_of(capsys, train, "--config", str(config))
    assert not (folder / "b").exists()


def test_deleted_predecessor_is_still_known(sources, tmp_path, capsys):
    """A run on other images stands between the two: its model names those of its predecessor."""
    first = write_finished_run(
        tmp_path / "a", prepare_and_open(sources, tmp_path / "a/data").directory
    )
    second = write_finished_run(
        tmp_path / "b", write_prepared(tmp_path / "b/data"), init=str(first)
    )
    shutil.rmtree(tmp_path / "a")
    shutil.rmtree(tmp_path / "b/data")
    other = prepare_and_open(sources, tmp_path / "c/data", seed=1).directory
    with pytest.raises(ManifestError, match=rf"init: {second} learnt from \d+ images"):
        write_finished_run(tmp_path / "c", other, init=str(second))


def test_fusion_lists_what_each_backbone_learnt_from(sources, tmp_path):
    init, expected = {}, set()
    for seed, name in enumerate(("convnext_tiny", "efficientnetv2_s", "mobilenetv3_large")):
        data = write_prepared(tmp_path / name / "data", seed=seed)
        run = write_finished_run(tmp_path / name, data)  # of one network: the lists count
        listed = images_seen_by(run / "model", read_card(run / "model"))
        assert listed is not None
        expected |= listed.images
        init[name] = str(run)
    seen = seen_before(init, None)
    assert seen.images == expected
    assert seen.complete
    assert len(expected) == 3 * 34


def test_keyed_data_are_judged_under_their_key_alone(sources, tmp_path, capsys):
    (tmp_path / "key").write_bytes(KEY)
    keyed = sources.model_copy(update={"id_key": tmp_path / "key"})
    run = write_finished_run(tmp_path, prepare_and_open(keyed, tmp_path / "data").directory)
    content = (run / "model/seen_images.csv").read_text()
    for row in open_prepared(tmp_path / "data").rows:
        assert row.sha256 not in content
    for config, message in ((keyed, "learnt from "), (sources, "prepare these data with that id")):
        shutil.rmtree(tmp_path / "data")
        forge_fingerprint(run, prepare_and_open(config, tmp_path / "data", seed=1).directory)
        assert message in refused(capsys, run)


def test_predecessor_of_the_former_version_is_listed_from_its_data(sources, finished):
    make_former(finished)
    data = open_prepared(finished.parent / "data")
    seen = seen_before(str(finished), None)
    assert seen.complete
    assert len(seen.images) == sum(row.split != "test" for row in data.rows)
    reprepare(sources, finished.parent / "data")
    assert not seen_before(str(finished), None).complete


def test_predecessor_that_is_gone_leaves_the_list_incomplete(finished, tmp_path):
    gone = str(tmp_path / "gone")
    seen = seen_before({"convnext_tiny": str(finished), "mobilenetv3_large": gone}, None)
    assert seen.images
    assert not seen.complete
    assert not seen_before(gone, None).complete
    (finished / "config.yaml").unlink()
    with pytest.raises(ConfigError, match="is not a run"):
        seen_before(str(finished), None)


def test_files_of_weights_are_of_unknown_origin_unless_published(tmp_path):
    (tmp_path / "weights.safetensors").touch()
    file = str(tmp_path / "weights.safetensors")
    assert not seen_before(file, {"source": file}).complete
    assert seen_before(
        file, {"source": file, "ported_source": "timm/convnext_tiny.fb_in1k"}
    ).complete
    assert seen_before("timm/convnext_tiny.fb_in1k", {}).complete
    assert seen_before(None, None).complete
