"""Fine-tuning that a signal stops, or whose reading processes die."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support.processes import assert_gone, children_of, command_of, linux
from tests.support.small_data import SPLITS
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


class Command:
    """The command on a finished run's data with two reading processes, in a session of its own."""

    def __init__(self, workspace: Path, folder: Path) -> None:
        config = configure(workspace, folder)
        words = [sys.executable, "-m", "vlm_torch.finetune", "--config", str(config)]
        self.run, self._log = folder / "run", folder / "log"
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                [*words, "--data.workers", "2", "--epochs", "400"],
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def workers(self) -> list[int]:
        """Return its reading processes, which are forks of it."""
        children = children_of(self.process.pid)
        return [pid for pid in children if "vlm_torch.finetune" in command_of(pid)]

    def wait_for_checkpoint(self) -> None:
        while self.process.poll() is None and not any(self.run.glob("checkpoints/checkpoint-4")):
            time.sleep(0.05)
        assert self.process.poll() is None, self.text()

    def text(self) -> str:
        return self._log.read_text()


@pytest.fixture
def command(workspace, tmp_path):
    command = Command(workspace, tmp_path)
    command.wait_for_checkpoint()
    yield command
    command.process.kill()
    command.process.wait()


@linux
@one_architecture
def test_reading_process_that_dies_is_one_line(command):
    while command.process.poll() is None:  # each epoch has its own processes
        for pid in command.workers():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.05)
    assert command.process.returncode == 2, command.text()
    text = command.text()
    others = [line for line in text.splitlines() if not line.startswith("run: ")]
    assert len(others) == 1, text
    assert others[0].startswith("error: DataLoader worker")
    assert "use fewer data.workers" in others[0]


@linux
@one_architecture
def test_signal_to_the_job_stops_it_and_its_reading_processes(command):
    while not (workers := command.workers()):
        time.sleep(0.01)
    os.killpg(command.process.pid, signal.SIGTERM)
    assert command.process.wait(timeout=60) == 143, command.text()
    last = max(checkpoints(command.run))
    assert f"stopped by SIGTERM after step {last}; continue" in command.text()
    assert "Traceback" not in command.text()
    assert_gone(workers)


@linux
@one_architecture
def test_killed_run_leaves_no_reading_process(command):
    while not (workers := command.workers()):
        time.sleep(0.01)
    command.process.kill()
    assert_gone(workers)
