"""No fine-tuned model is judged on images that it, or its base model, learnt from."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from elbow_core.dataset import open_prepared
from elbow_core.runs import data_fingerprint
from tests.support.commands import error_of
from tests.support.prepare_folders import edit_manifest
from tests.support.small_data import write_prepared
from tests.support.vlm_runs import copy_run, write_config
from vlm_torch import finetune, merge, predict
from vlm_torch.lora import images_seen_by
from vlm_torch.lora.card import read_card, read_merged_card


def edit_splits(data: Path, first: str, second: str) -> None:
    """Exchange two splits in a manifest."""
    exchanged = {first: second, second: first}
    edit_manifest(
        data,
        lambda rows: [replace(row, split=exchanged.get(row.split, row.split)) for row in rows],
    )


@pytest.fixture
def copied(workspace, tmp_path) -> Path:
    """A copy of a finished run with its data; the run's folder."""
    run = copy_run(workspace, tmp_path / workspace.name)
    shutil.copytree(workspace / "data", run.parent / "data")
    return run


def test_adapter_lists_the_images_that_it_learnt_from(workspace):
    adapter = workspace / "run/adapter"
    seen = images_seen_by(adapter, read_card(adapter))
    rows = open_prepared(workspace / "data").rows
    assert {image.image for image in seen.images} == {
        row.sha256 for row in rows if row.split != "test"
    }
    assert seen.complete


def test_data_with_another_split_are_refused_even_with_a_forged_fingerprint(copied, capsys):
    data = copied.parent / "data"
    edit_splits(data, "train", "test")
    arguments = ["--run", str(copied), "--data", str(data), "--split", "test"]
    assert "is not the data that" in error_of(capsys, predict, *arguments)
    record = json.loads((copied / "run.json").read_text())
    record["data_fingerprint"] = data_fingerprint(data)
    (copied / "run.json").write_text(json.dumps(record))
    line = error_of(capsys, predict, *arguments)
    assert f"leak: {copied / 'adapter'} learnt from 24 images of the split 'test'" in line
    (copied / "run.json").unlink()
    assert "restore it" in error_of(capsys, predict, *arguments)


def test_list_that_was_changed_or_removed_is_refused(copied, capsys):
    file = copied / "adapter/seen_images.csv"
    lines = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(b"".join(lines[:-1]))
    arguments = ["--run", str(copied), "--data", str(copied.parent / "data")]
    assert "seen_images.csv: is not the file that" in error_of(capsys, predict, *arguments)
    file.unlink()
    assert "seen_images.csv: does not exist" in error_of(capsys, predict, *arguments)


def test_merged_base_model_brings_its_list(copied, tmp_path, capsys):
    """The run that trained it may be gone."""
    assert merge.main(["--run", str(copied)]) == 0
    base = copied.parent / "merged"
    (copied / "merged").rename(base)
    listed = images_seen_by(base, read_merged_card(base))
    shutil.rmtree(copied)

    folder = tmp_path / "next"
    folder.mkdir()
    architecture = read_merged_card(base).model.architecture
    model = {
        "architecture": architecture,
        "base": {"kind": "folder", "path": str(base)},
        "dtype": "float32",
    }
    shutil.copytree(copied.parent / "data", folder / "data")
    edit_splits(folder / "data", "train", "test")
    config = write_config(folder, architecture, model=model)
    line = error_of(capsys, finetune, "--config", str(config))
    assert f"leak: model.base: {base} learnt from 24 images of the split 'test'" in line
    assert not (folder / "run").exists()

    shutil.rmtree(folder / "data")
    write_prepared(folder / "data", seed=1)
    assert finetune.main(["--config", str(write_config(folder, architecture, model=model))]) == 0
    seen = images_seen_by(folder / "run/adapter", read_card(folder / "run/adapter"))
    assert listed.images < seen.images
    assert len(seen.images) == 2 * len(listed.images)
