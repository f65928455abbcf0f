"""Checkpoints of fine-tuning: which is continued, and which is damaged."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from elbow_core.errors import UserError
from tests.support.commands import refusal_of
from vlm_torch import finetune
from vlm_torch.training.checkpoints import latest_checkpoint

STATE = '{"global_step": 2}'


def flip_a_bit(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[-9] ^= 1
    file.write_bytes(content)


def replace_by_a_folder(file: Path) -> None:
    file.unlink()
    file.mkdir()


@pytest.fixture
def stopped(workspace, tmp_path) -> Path:
    """A copy of a run that was stopped before it wrote its adapter, with its configuration."""
    shutil.copytree(workspace, tmp_path / "copy", ignore=shutil.ignore_patterns("lock"))
    config = tmp_path / "copy/finetune.yaml"
    config.write_text(config.read_text().replace(str(workspace), str(tmp_path / "copy")))
    shutil.rmtree(tmp_path / "copy/run/adapter")
    return config


@pytest.mark.parametrize("workspace", ["medgemma"], indirect=True)
def test_damaged_checkpoint_is_named_and_stays_and_the_one_before_continues(
    workspace, stopped, capsys
):
    run = stopped.parent / "run"
    latest = latest_checkpoint(run / "checkpoints")
    assert latest is not None
    names = sorted(path.name for path in latest.iterdir() if path.name != "trainer_state.json")
    damages: dict[str, Callable[[Path], None]] = {
        "is damaged": flip_a_bit,
        "is missing": replace_by_a_folder,
    }
    for name in names:
        for reason, damage in damages.items():
            shutil.copytree(latest, run.parent / "sound")
            damage(latest / name)
            line = refusal_of(capsys, finetune, "--config", str(stopped), "--resume")
            if name != "digests.json":
                assert f"{latest / name}: {reason}; move {latest} away" in line
            assert latest.is_dir()
            shutil.rmtree(latest)
            (run.parent / "sound").rename(latest)
    flip_a_bit(latest / "optimizer.pt")
    latest.rename(run.parent / "moved away")
    assert finetune.main(["--config", str(stopped), "--resume"]) == 0
    weights = "run/adapter/adapter_model.safetensors"
    assert (stopped.parent / weights).read_bytes() == (workspace / weights).read_bytes()


@pytest.mark.parametrize("state", [b"", b"[]", b"null", b'{"a": 1}', b"[" * 99_999, b"\xff"])
def test_checkpoint_with_a_damaged_state_is_passed_over(tmp_path, state):
    for step in (2, 4):
        (tmp_path / f"checkpoint-{step}").mkdir()
        (tmp_path / f"checkpoint-{step}/trainer_state.json").write_text(STATE)
    assert latest_checkpoint(tmp_path) == tmp_path / "checkpoint-4"
    (tmp_path / "checkpoint-4/trainer_state.json").write_bytes(state)
    assert latest_checkpoint(tmp_path) == tmp_path / "checkpoint-2"


def test_pipe_in_the_place_of_a_state_does_not_hold_the_command(tmp_path):
    (tmp_path / "checkpoint-2").mkdir()
    os.mkfifo(tmp_path / "checkpoint-2/trainer_state.json")
    with pytest.raises(UserError, match="is not a regular file"):
        latest_checkpoint(tmp_path)
