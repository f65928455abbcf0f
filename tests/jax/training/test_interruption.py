"""Runs that are killed, stopped by a signal, or resumed from a damaged checkpoint."""

import gc
import itertools
import os
import random
import shutil
import signal
import time
from pathlib import Path

import pytest

from elbow_core.processes import INTERRUPTED_STATUS
from elbow_jax import train
from elbow_jax.data import position_of
from tests.support.processes import assert_gone, children_of, command_of, linux
from tests.support.small_checkpoints import flipped, largest_arrays
from tests.support.training import every_step_config, rows_of, start

MOMENTS = ("training", "saving", "starting")
RESULTS = ("metrics.jsonl", "model/weights.safetensors", "model/model.json")


def configure(trained: Path, folder: Path) -> Path:
    """The configuration of the same run in another folder."""
    folder.mkdir(exist_ok=True)
    (folder / "data").symlink_to(trained / "data")
    return every_step_config(folder)


def assert_same_results(run: Path, trained: Path) -> None:
    for name in RESULTS:
        assert (run / name).read_bytes() == (trained / "run" / name).read_bytes(), name


def complete_checkpoints(run: Path) -> list[int]:
    directory = run / "checkpoints"
    names = [path.name for path in directory.iterdir()] if directory.is_dir() else []
    return sorted(int(name) for name in names if name.isdigit())


def leftovers(run: Path) -> list[str]:
    """Files of the run's directory that are neither results nor complete checkpoints."""
    inside = [path.name for path in (run / "checkpoints").iterdir() if not path.name.isdigit()]
    results = {"config.yaml", "run.json", "local.json", "seen_images.csv", "metrics.jsonl"}
    known = results | {"checkpoints", "model"}
    beside = [path.name for path in run.parent.iterdir() if path.name.startswith(".")]
    return inside + beside + [path.name for path in run.iterdir() if path.name not in known]


def kill_at_a_random_moment(config: Path, run: Path, moment: str, chance: random.Random) -> bool:
    """Start or resume a run and kill it; return False if it finished first."""
    process = start(config, "--resume")
    rows_before = len(rows_of(run))
    target = rows_before + chance.randint(1, 4)
    deadline = time.monotonic() + chance.uniform(0.5, 4.0)  # of a kill before the first step
    while process.poll() is None:
        if moment == "starting" and time.monotonic() > deadline:
            break
        if moment != "starting" and len(rows_of(run)) >= target:
            saving = any((run / "checkpoints").glob("*tmp*"))
            if moment == "training" or saving:
                break
        time.sleep(0.001)
    process.kill()
    _, errors = process.communicate()
    assert process.returncode in (0, -signal.SIGKILL), errors
    return process.returncode != 0


@pytest.mark.parametrize("kills", [1, pytest.param(200, marks=pytest.mark.slow)])
def test_run_killed_at_random_moments_is_byte_identical_to_an_uninterrupted_one(
    trained, tmp_path, kills
):
    chance, moments = random.Random(kills), itertools.cycle(MOMENTS)
    killed, number = 0, 0
    while killed < kills:
        number += 1
        run = tmp_path / f"attempt{number}" / "run"
        config = configure(trained, run.parent)
        latest = 0
        while killed < kills and kill_at_a_random_moment(config, run, next(moments), chance):
            killed += 1
            kept = complete_checkpoints(run)
            logged = max((row["step"] for row in rows_of(run)), default=0)
            # One save may be in progress while the next step is logged.
            assert logged - max(kept, default=0) <= 2
            assert max(kept, default=0) >= latest
            latest = max(kept, default=0)
        if not (run / "model").is_dir():
            assert train.main(["--config", str(config), "--resume"]) == 0
        assert_same_results(run, trained)
        assert leftovers(run) == []


def test_each_signal_saves_a_checkpoint_from_which_the_run_resumes(trained, tmp_path):
    config = configure(trained, tmp_path)
    run = tmp_path / "run"
    for number in (signal.SIGTERM, signal.SIGUSR1):
        rows = len(rows_of(run))
        process = start(config, "--resume")
        wait_for_rows(process, run, rows + 1)
        process.send_signal(number)
        output, errors = process.communicate()
        assert process.returncode == INTERRUPTED_STATUS == 128 + signal.SIGTERM, errors
        step = max(complete_checkpoints(run))
        stopped = f"{run}: stopped by {number.name} after step {step}; continue with --resume"
        assert stopped in output
        assert rows_of(run)[-1]["step"] == step
    assert train.main(["--config", str(config), "--resume"]) == 0
    assert_same_results(run, trained)


def workers_of(process) -> list[int]:
    """Return the reading processes of a run."""
    return [pid for pid in children_of(process.pid) if "spawn_main" in command_of(pid)]


def wait_for_rows(process, run: Path, count: int) -> None:
    while process.poll() is None and len(rows_of(run)) < count:
        time.sleep(0.01)


@linux
def test_signal_to_the_job_that_waits_for_data_saves_the_steps_at_once(trained, tmp_path):
    config = configure(trained, tmp_path)
    run = tmp_path / "run"
    overrides = ["--data.workers", "2", "--checkpoint_every", "null"]
    process = start(config, *overrides, new_session=True)
    wait_for_rows(process, run, 2)
    workers = workers_of(process)
    assert len(workers) == 2
    for pid in workers:
        os.kill(pid, signal.SIGSTOP)  # as storage that does not answer
    rows = -1
    while len(rows_of(run)) > rows:  # until the batches that were read ahead are used
        rows = len(rows_of(run))
        time.sleep(2)
    os.killpg(process.pid, signal.SIGTERM)
    output, errors = process.communicate(timeout=60)
    assert process.returncode == INTERRUPTED_STATUS, errors
    step = max(complete_checkpoints(run))
    assert f"stopped by SIGTERM after step {step}" in output
    assert rows_of(run)[-1]["step"] == step
    assert_gone(workers)
    assert train.main(["--config", str(config), "--resume"]) == 0  # without workers
    assert_same_results(run, trained)


@linux
def test_reading_process_that_dies_is_one_line(trained, tmp_path):
    config = configure(trained, tmp_path)
    process = start(config, "--data.workers", "1", "--epochs", "400")
    wait_for_rows(process, tmp_path / "run", 2)
    os.kill(workers_of(process)[0], signal.SIGKILL)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 2
    progress = ("epoch", "run: compil")
    lines = [line for line in errors.splitlines() if not any(word in line for word in progress)]
    assert lines == [
        "error: a worker process died (SIGKILL), probably out of memory; use fewer workers"
    ]


def test_position_of_grains_reading_processes_is_understood():
    # As Grain 0.2.18 writes it after three batches of two processes.
    state = {
        "exhausted": [0, 0],
        "future_states": {},
        "iterators_in_use_indices": [0, 1],
        "iterators_in_use_states": [{"next_index": 2}, {"next_index": 1}],
        "next_index_in_cycle": 1,
        "next_index_in_datasets": 2,
    }
    assert position_of(state) == {"next_index": 3}
    assert position_of({"next_index": 3}) == {"next_index": 3}


# If one array cannot be read, Orbax leaves the reads of others pending on a closed event loop.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_damaged_checkpoint_is_reported_and_the_previous_one_is_used(trained, tmp_path, capsys):
    config = configure(trained, tmp_path)
    run = tmp_path / "run"
    shutil.copytree(trained / "run", run)
    shutil.rmtree(run / "model")
    (run / "config.yaml").write_text(
        (run / "config.yaml").read_text().replace(str(trained), str(tmp_path))
    )
    newest = max(complete_checkpoints(run))
    directory = run / "checkpoints" / str(newest)
    arrays = largest_arrays(directory)
    arrays.write_bytes(flipped(arrays.read_bytes()))
    assert train.main(["--config", str(config), "--resume"]) == 0
    gc.collect()  # Orbax's pending reads, in this test and not in a later one
    printed = capsys.readouterr().err
    assert str(directory) in printed
    assert f"moved to {run / 'damaged' / str(newest)}" in printed
    assert_same_results(run, trained)
