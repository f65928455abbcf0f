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
    complete = {
        step: checkpoint
        for step, checkpoint in _checkpoints(folder).items()
        if _is_complete(checkpoint)
    }
    return complete[max(complete)] if complete else None


def _checkpoints(folder: Path) -> dict[int, Path]:
    """Return the checkpoints by step, without what others have put beside them."""
    numbered = (
        (path.name.removeprefix("checkpoint-"), path) for path in folder.glob("checkpoint-*")
    )
    return {
        int(number): path
        for number, path in numbered
        if number.isascii() and number.isdecimal() and path.is_dir() and not path.is_symlink()
    }


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
    for checkpoint in _checkpoints(folder).values():
        if checkpoint != latest and not (checkpoint / _STATE).is_file():
            shutil.rmtree(checkpoint)


def best_checkpoint(folder: Path) -> tuple[Path, int, float]:
    """Return the checkpoint of lowest validation loss, its step and its loss."""
    latest = latest_checkpoint(folder)
    assert latest is not None, f"{folder}: no checkpoint after training"
    state = json.loads((latest / _STATE).read_text(encoding="utf-8"))
    step = state["best_global_step"]
    return folder / f"checkpoint-{step}", step, state["best_metric"]
