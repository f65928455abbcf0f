"""Configurations and copies of tiny LoRA runs, for the tests of vlm_torch."""

import json
import shutil
from pathlib import Path
from typing import Any

import yaml

from tests.support.small_data import SIZE
from vlm_torch.config import FinetuneConfig
from vlm_torch.lora import AdapterCard

ARCHITECTURES = ("medgemma", "llava_rad")
WORKSPACE_EPOCHS = 12  # of the runs of the fixture `workspace`


def settings(folder: Path, architecture: str) -> dict:
    """Settings of a tiny model; ``folder`` holds the data, the base checkpoint and the run."""
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
    """Write `settings` as a file, with some top-level fields changed."""
    path = folder / "finetune.yaml"
    path.write_text(yaml.safe_dump(settings(folder, architecture) | changes))
    return path


def make_config(folder: Path, architecture: str, **changes) -> FinetuneConfig:
    """Return `settings` as a configuration, with some top-level fields changed."""
    values = settings(folder, architecture) | changes
    return FinetuneConfig.model_validate(values, strict=False)


def copy_run(workspace: Path, folder: Path) -> Path:
    """Copy a finished run with its base checkpoint, but not its data; return the copied run."""
    ignored = shutil.ignore_patterns("checkpoints", "data", "lock")
    shutil.copytree(workspace, folder, ignore=ignored)
    return folder / "run"


def edit_card(folder: Path, **changes: Any) -> None:
    """Change fields of a card as if it had been written so, with a new digest of the card."""
    file = folder / "card.json"
    content = json.loads(file.read_text()) | changes
    card = AdapterCard.model_validate_json(json.dumps(content))
    file.write_text(json.dumps(content | {"card_sha256": card.digest()}))
