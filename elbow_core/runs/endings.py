"""How a run ends before its time: by a signal, or on a full disk. Both continue with --resume."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from elbow_core.errors import UserError, library_reason
from elbow_core.files import is_full
from elbow_core.processes import Interruption


@contextmanager
def naming_full_disk(run: Path) -> Iterator[None]:
    """Turn an error of a full disk into a `UserError` that names the run; others pass."""
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        if not is_full(error, run):
            raise
        reason = library_reason(error)
        raise UserError(
            f"{run}: cannot be written ({reason}); make room and continue with --resume"
        ) from error


def describe_stop(run: Path, interruption: Interruption, step: int) -> str:
    """Return the line that a run prints which a signal has stopped after a saved step."""
    name = interruption.received or "a signal to another process"
    return f"{run}: stopped by {name} after step {step}; continue with --resume"
