"""Tiny LoRA runs on blobs, for the tests of vlm_torch."""

import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import yaml

from elbow_core import cli
from tests.support.small_data import SIZE
from vlm_torch.config import FinetuneConfig

ARCHITECTURES = ("medgemma", "llava_rad")
TUNED_EPOCHS = 12  # of the run that the fixture `tuned` gives


def settings(folder: Path, architecture: str) -> dict:
    """A configuration of a tiny model; ``folder`` holds the data, the base and the run."""
    return {
        "run": str(folder / "run"),
        "data": {"prepared": str(folder / "data"), "copies": 0},
        "model": {
            "architecture": architecture,
            "base": {"kind": "tiny", "image_size": SIZE},
            "dtype": "float32",
        },
        "lora": {"rank": 8, "alpha": 16, "dropout": 0.0},
        "optimizer": {"learning_rate": 5e-3, "schedule": "linear", "max_gradient_norm": 1.0},
        "batch_size": 8,
        "accumulate": 2,
        "epochs": 2,
        "gradient_checkpointing": False,
        "log_every": 2,
    }


def write_config(folder: Path, architecture: str, **changes) -> Path:
    path = folder / "finetune.yaml"
    path.write_text(yaml.safe_dump(settings(folder, architecture) | changes))
    return path


def config_of(folder: Path, architecture: str, **changes) -> FinetuneConfig:
    values = settings(folder, architecture) | changes
    return FinetuneConfig.model_validate(values, strict=False)


def fail(capsys, main: Callable[[Sequence[str]], int], *arguments: str) -> str:
    """Run a command, which must end with status 2 and one line; return the line."""
    sys_argv = sys.argv
    sys.argv = ["command", *arguments]
    try:
        with pytest.raises(SystemExit) as ended:
            cli.run(main)
    finally:
        sys.argv = sys_argv
    assert ended.value.code == 2
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1
    return lines[0]
