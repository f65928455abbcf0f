"""Runs of the training command on small data and a small network."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from elbow_jax import train
from tests.support.small_data import SPLITS

STEPS_PER_EPOCH = SPLITS["train"] * 2 // 8


def write_config(folder: Path, **changes: Any) -> Path:
    """Write a configuration from `folder`/data to `folder`/run; an epoch has six steps."""
    config = {
        "run": str(folder / "run"),
        "data": {"prepared": str(folder / "data"), "copies": 1},
        "model": {"backbone": "mobilenetv3_large", "variant": "small"},
        "optimizer": {
            "learning_rate": 0.05,
            "momentum": 0.8,
            "weight_decay": 1e-3,
            "warm_restarts": {"t_0": 2},
        },
        "batch_size": 8,
        "epochs": 3,
        "log_every": 2,
        "checkpoint_every": 2,
    }
    path = folder / "train.yaml"
    path.write_text(yaml.safe_dump(config | changes))
    return path


def every_step_config(folder: Path, **changes: Any) -> Path:
    """Write a configuration of three epochs with a checkpoint and a row after every step."""
    return write_config(folder, **{"checkpoint_every": 1, "log_every": 1} | changes)


def averaged_config(folder: Path, **changes: Any) -> Path:
    """Write a configuration of two epochs with every part of a state.

    AdamW, warm-up, clipping, an average of the weights, auxiliary targets.
    """
    adamw = {
        "kind": "adamw",
        "learning_rate": 2e-3,
        "weight_decay": 0.05,
        "warm_up_epochs": 0.5,
        "max_gradient_norm": 1.0,
        "warm_restarts": {"t_0": 4},
    }
    auxiliary = {"place": 0.3, "finding": 0.2}
    values = {"optimizer": adamw, "auxiliary": auxiliary, "ema_decay": 0.9, "epochs": 2}
    return write_config(folder, **values | changes)


def start(
    config: Path, *arguments: str, new_session: bool = False, **environment: str
) -> "subprocess.Popen[str]":
    """Start the training command in a new process, and in a new process group on request."""
    return subprocess.Popen(
        [sys.executable, "-m", "elbow_jax.train", "--config", str(config), *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | environment,
        start_new_session=new_session,
    )


def rows_of(run: Path) -> list[dict[str, Any]]:
    """Return the rows of a run's metrics.jsonl, without a truncated last line."""
    file = run / "metrics.jsonl"
    lines = file.read_text().splitlines(keepends=True) if file.exists() else []
    return [json.loads(line) for line in lines if line.endswith("\n")]


def resume_the_last_epoch(finished: Path, folder: Path, config: Callable[[Path], Path]) -> Path:
    """Copy a finished run into `folder`, without its model and last checkpoint, and resume it.

    `config` writes the configuration into a folder. Returns the directory of the run.
    """
    shutil.copytree(finished, folder)
    run = folder / "run"
    shutil.rmtree(run / "model")
    latest = max(int(path.name) for path in (run / "checkpoints").iterdir())
    shutil.rmtree(run / "checkpoints" / str(latest))
    assert train.main(["--config", str(config(folder)), "--resume"]) == 0
    return run


def assert_same_run(run: Path, other: Path) -> None:
    """Check that two runs released the same bytes and logged the same."""
    for name in ("model/weights.safetensors", "metrics.jsonl"):
        assert (run / name).read_bytes() == (other / name).read_bytes(), name
