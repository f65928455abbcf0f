"""Selects among the Trainer's checkpoints of a run: complete, latest, best."""

import json
import shutil
from pathlib import Path

from elbow_core.errors import UserError

_STATE = "trainer_state.json"  # the last file of a checkpoint that the Trainer writes


def latest_checkpoint(folder: Path) -> Path | None:
    """Return the latest complete checkpoint of a run, or None; partial ones are skipped.

    Raises:
        UserError: a checkpoint that the system does not give, at a second attempt too.
    """
    complete = {}
    for checkpoint in folder.glob("checkpoint-*"):
        if not _is_complete(checkpoint):
            continue
        complete[int(checkpoint.name.removeprefix("checkpoint-"))] = checkpoint
    return complete[max(complete)] if complete else None


def _is_complete(checkpoint: Path, attempts: int = 2) -> bool:
    try:
        json.loads((checkpoint / _STATE).read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return False
    except OSError as error:
        if attempts > 1:
            return _is_complete(checkpoint, attempts - 1)
        raise UserError(
            f"{checkpoint / _STATE}: cannot be read ({error.strerror}); continue with --resume "
            "once it can"
        ) from error
    return True


def remove_partial_checkpoints(folder: Path) -> None:
    """Delete the incomplete checkpoints that a killed run left."""
    latest = latest_checkpoint(folder)
    for checkpoint in folder.glob("checkpoint-*"):
        if checkpoint != latest and not (checkpoint / _STATE).is_file():
            shutil.rmtree(checkpoint)


def best_checkpoint(folder: Path) -> tuple[Path, int, float]:
    """Return the checkpoint of lowest validation loss, its step and its loss."""
    latest = latest_checkpoint(folder)
    assert latest is not None, f"{folder}: no checkpoint after training"
    state = json.loads((latest / _STATE).read_text(encoding="utf-8"))
    step = state["best_global_step"]
    return folder / f"checkpoint-{step}", step, state["best_metric"]
