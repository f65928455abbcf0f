"""The files of a run, their creation, and the lock of the process that trains it.

runs/<name>/config.yaml     resolved configuration
            run.json        command, versions and data, to repeat the run
            metrics.jsonl   one row per logged step and one per epoch
            .lock           while a process trains the run
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from elbow_core.config import StrictModel, dump_config
from elbow_core.errors import ConfigError
from elbow_core.files import atomic_folder
from elbow_core.locks import locked_file

CONFIG, RECORD, METRICS = "config.yaml", "run.json", "metrics.jsonl"
_LOCK = ".lock"


def begin_run(
    path: Path,
    config: StrictModel,
    record: Mapping[str, Any],
    files: Mapping[str, bytes] | None = None,
) -> None:
    """Create the directory of a new run, atomically, with further ``files`` by name.

    Raises `ConfigError` if it exists and is not empty.
    """
    check_new(path)
    with atomic_folder(path) as partial:
        (partial / CONFIG).write_text(dump_config(config), encoding="utf-8")
        (partial / RECORD).write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
        for name, content in (files or {}).items():
            (partial / name).write_bytes(content)


def check_new(path: Path) -> None:
    """Raise `ConfigError` unless a run can begin at ``path``: absent, or an empty folder."""
    if (path / CONFIG).exists():
        raise ConfigError(
            f"{path}: already contains a run; continue it with --resume, or give another `run:`"
        )
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise ConfigError(f"{path}: already exists and is not a run; give another `run:`")


@contextmanager
def lock_run(path: Path) -> Iterator[None]:
    """Keep other processes from training a run; the system releases the lock with the process.

    Raises `UserError` if another process trains it.
    """
    refusal = f"{path}: is being trained by another process; wait for it, or give another `run:`"
    with locked_file(path / _LOCK, refusal):
        yield
