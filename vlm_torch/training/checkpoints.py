"""The Trainer's checkpoints of a run: which are whole, which is the newest, which is the best."""

import json
import shutil
from pathlib import Path

_STATE = "trainer_state.json"  # the last file that the Trainer writes of a checkpoint


def latest_checkpoint(folder: Path) -> Path | None:
    """Return the newest whole checkpoint of a run, or None; what a kill left half-written goes."""
    whole = {}
    for checkpoint in folder.glob("checkpoint-*"):
        try:
            json.loads((checkpoint / _STATE).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue
        whole[int(checkpoint.name.removeprefix("checkpoint-"))] = checkpoint
    return whole[max(whole)] if whole else None


def remove_partial_checkpoints(folder: Path) -> None:
    """Delete checkpoints newer than the newest whole one, which a kill has left."""
    latest = latest_checkpoint(folder)
    for checkpoint in folder.glob("checkpoint-*"):
        if checkpoint != latest and not (checkpoint / _STATE).is_file():
            shutil.rmtree(checkpoint)


def best_checkpoint(folder: Path) -> tuple[Path, int, float]:
    """Return the checkpoint of lowest validation loss, its step and that loss."""
    latest = latest_checkpoint(folder)
    assert latest is not None, f"{folder}: no checkpoint after training"
    state = json.loads((latest / _STATE).read_text(encoding="utf-8"))
    step = state["best_global_step"]
    return folder / f"checkpoint-{step}", step, state["best_metric"]
