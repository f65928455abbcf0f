"""The Trainer's checkpoints of a run: complete, latest, best, undamaged.

digests.json    {"schema": 1, "files": {"optimizer.pt": SHA-256, ...}}

The Trainer itself goes on without a missing file, and with whatever numbers a damaged one contains.
"""

import json
import shutil
from pathlib import Path
from typing import Any

from elbow_core.errors import UserError
from elbow_core.files import atomic_file, read_json, read_regular, sha256_of, sweep

_STATE = "trainer_state.json"  # the last file of a checkpoint that the Trainer writes
_MAX_STATE = 1 << 30
_DIGESTS = "digests.json"
_SCHEMA = 1


def write_digests(checkpoint: Path) -> None:
    """Write the digests of all files of a checkpoint beside them."""
    files = sorted(path for path in checkpoint.iterdir() if path.is_file())
    digests = {path.name: sha256_of(path) for path in files if path.name != _DIGESTS}
    with atomic_file(checkpoint / _DIGESTS) as partial:
        text = json.dumps({"schema": _SCHEMA, "files": digests}, indent=2)
        partial.write_text(f"{text}\n", encoding="utf-8")


def check_digests(checkpoint: Path) -> None:
    """Check that the files of a checkpoint are those that were saved.

    A checkpoint without digests is one of an earlier version, or a kill came between the last of
    its files and them; it is not checked.

    Raises:
        UserError: a file is missing or damaged, at a second attempt too.
        OSError: a file cannot be read.
    """
    advice = f"move {checkpoint} away to continue from the checkpoint before"
    try:
        content = read_json(checkpoint / _DIGESTS)
    except FileNotFoundError:
        return
    except ValueError as error:
        raise UserError(f"{checkpoint / _DIGESTS}: is damaged ({error}); {advice}") from error
    match content:
        case {"schema": 1, "files": dict(digests)}:
            pass
        case _:
            raise UserError(f"{checkpoint / _DIGESTS}: is not of schema {_SCHEMA}; {advice}")
    for name, digest in digests.items():
        file = checkpoint / name
        if not file.is_file():
            raise UserError(f"{file}: is missing; {advice}")
        if not any(sha256_of(file) == digest for _ in range(2)):
            raise UserError(f"{file}: is damaged; {advice}")


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
        state = _read_state(checkpoint)
    except (FileNotFoundError, ValueError):
        return False
    except OSError as error:
        if attempts > 1:
            return _is_complete(checkpoint, attempts - 1)
        raise UserError(
            f"{checkpoint / _STATE}: cannot be read ({error.strerror}); continue with --resume "
            "once it can"
        ) from error
    return isinstance(state, dict) and isinstance(state.get("global_step"), int)


def _read_state(checkpoint: Path) -> Any:
    """Return the Trainer's state; raises `OSError`, and `ValueError` if it is not JSON.

    It may contain a loss that is NaN, which the run names when it logs it.
    """
    try:
        return json.loads(read_regular(checkpoint / _STATE, _MAX_STATE))
    except RecursionError as error:
        raise ValueError("is nested too deeply") from error


def remove_partial_checkpoints(folder: Path) -> None:
    """Delete the incomplete checkpoints and files that a killed run left."""
    latest = latest_checkpoint(folder)
    for checkpoint in _checkpoints(folder).values():
        sweep(checkpoint)
        if checkpoint != latest and not (checkpoint / _STATE).is_file():
            shutil.rmtree(checkpoint)


def best_checkpoint(folder: Path) -> tuple[Path, int, float]:
    """Return the checkpoint of lowest validation loss, its step and its loss."""
    latest = latest_checkpoint(folder)
    assert latest is not None, f"{folder}: no checkpoint after training"
    state = _read_state(latest)
    step = state["best_global_step"]
    return folder / f"checkpoint-{step}", step, state["best_metric"]
