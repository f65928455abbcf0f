"""Fine-tuning that a signal stops, or whose reading processes die."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from torch.utils.data import get_worker_info

from tests.support.processes import assert_gone, children_of, linux
from tests.support.small_data import SPLITS
from tests.support.vlm_runs import refused
from vlm_torch import finetune
from vlm_torch.training.dataset import RadiographDataset
from vlm_torch.training.trainer import LoraTrainer

STEPS_PER_EPOCH = SPLITS["train"] // 8
RESULTS = ("metrics.jsonl", "adapter/adapter_model.safetensors")

one_architecture = pytest.mark.parametrize("workspace", ["medgemma"], indirect=True)


def configure(workspace: Path, folder: Path) -> Path:
    """The configuration of the finished run, for another folder with the same data."""
    shutil.copytree(workspace / "data", folder / "data")
    text = (workspace / "finetune.yaml").read_text().replace(str(workspace), str(folder))
    (folder / "finetune.yaml").write_text(text)
    return folder / "finetune.yaml"


def checkpoints(run: Path) -> list[int]:
    return sorted(int(path.name.split("-")[1]) for path in (run / "checkpoints").iterdir())


def assert_same_results(run: Path, workspace: Path) -> None:
    for name in RESULTS:
        assert (run / name).read_bytes() == (workspace / "run" / name).read_bytes(), name


def signal_in_step(patch: pytest.MonkeyPatch, step: int, number: int) -> None:
    """Send this process one signal in the computation of a step, in its first part."""
    compute_loss = LoraTrainer.compute_loss
    sent: list[int] = []

    def compute_and_send(trainer, *arguments, **options):
        if not sent and trainer.state.global_step == step - 1 and trainer.model.training:
            sent.append(number)
            os.kill(os.getpid(), number)
        return compute_loss(trainer, *arguments, **options)

    patch.setattr(LoraTrainer, "compute_loss", compute_and_send)


@one_architecture
@pytest.mark.parametrize(
    ("step", "number", "status", "saved"),
    [
        (5, signal.SIGTERM, 143, 5),  # within a log interval of two steps and within an epoch
        (2 * STEPS_PER_EPOCH, signal.SIGUSR1, 143, 2 * STEPS_PER_EPOCH),  # the end of an epoch
        (8, signal.SIGINT, 130, 8),  # at a checkpoint that was due
    ],
)
def test_signal_saves_a_checkpoint_and_resuming_is_byte_identical(
    workspace, tmp_path, capsys, step, number, status, saved
):
    config, run = configure(workspace, tmp_path), tmp_path / "run"
    with pytest.MonkeyPatch.context() as patch:
        signal_in_step(patch, step, number)
        assert finetune.main(["--config", str(config)]) == status
    stopped = f"{run}: stopped by {number.name} after step {saved}; continue with --resume"
    assert stopped in capsys.readouterr().out
    assert max(checkpoints(run)) == saved
    assert not (run / "adapter").exists()
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    unbroken = (workspace / "run/metrics.jsonl").read_text().splitlines()
    assert rows == [row for row in map(json.loads, unbroken) if row["step"] <= saved]
    assert finetune.main(["--config", str(config), "--resume"]) == 0
    assert_same_results(run, workspace)


@one_architecture
def test_signal_while_images_are_awaited_saves_the_steps_at_once(workspace, tmp_path, capsys):
    config, run = configure(workspace, tmp_path), tmp_path / "run"
    read, count = RadiographDataset.__getitem__, 0
    # The loader is four images, a micro-batch, ahead of the sixth step.
    last = 8 * STEPS_PER_EPOCH + SPLITS["validation"] + 2 * 8 + 4 + 2

    def stall(dataset, index):
        nonlocal count
        count += 1
        if count == last:
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(60)
        return read(dataset, index)

    started = time.monotonic()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(RadiographDataset, "__getitem__", stall)
        assert finetune.main(["--config", str(config)]) == 143
    assert time.monotonic() - started < 50
    assert "stopped by SIGTERM after step 5; continue with --resume" in capsys.readouterr().out
    assert max(checkpoints(run)) == 5
    assert finetune.main(["--config", str(config), "--resume"]) == 0
    assert_same_results(run, workspace)


@one_architecture
def test_reading_process_that_dies_is_one_line(workspace, tmp_path, capsys):
    config = configure(workspace, tmp_path)
    read = RadiographDataset.__getitem__

    def die(dataset, index):
        if get_worker_info() is not None:
            os.kill(os.getpid(), signal.SIGKILL)
        return read(dataset, index)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(RadiographDataset, "__getitem__", die)
        message = refused(capsys, finetune.main, "--config", str(config), "--data.workers", "1")
    assert "DataLoader worker" in message
    assert "use fewer data.workers" in message


@one_architecture
@linux
def test_signal_to_the_job_stops_it_and_its_reading_processes(workspace, tmp_path):
    config, run = configure(workspace, tmp_path), tmp_path / "run"
    command = [sys.executable, "-m", "vlm_torch.finetune", "--config", str(config)]
    overrides = ["--data.workers", "2", "--epochs", "400"]
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            [*command, *overrides], stdout=log, stderr=log, start_new_session=True
        )
        while process.poll() is None and not (run / "checkpoints/checkpoint-4").exists():
            time.sleep(0.05)
        children = children_of(process.pid)
        os.killpg(process.pid, signal.SIGTERM)
        assert process.wait(timeout=60) == 143, (tmp_path / "log").read_text()
    text = (tmp_path / "log").read_text()
    assert f"stopped by SIGTERM after step {max(checkpoints(run))}; continue" in text
    assert "Traceback" not in text
    assert_gone(children)
