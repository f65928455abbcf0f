"""The files of a run, their creation, and the lock of the process that writes into it.

runs/<name>/config.yaml     resolved configuration
            run.json        versions, commit, settings and digests, to repeat the run
            metrics.jsonl   one row per logged step and one per epoch
            local.json      commands and places on this machine; not to be shared
            .lock           while a process writes into the run
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from elbow_core.config import StrictModel, dump_config
from elbow_core.errors import ConfigError
from elbow_core.files import atomic_folder, locked_file, remove_finished, require_writable
from elbow_core.runs.local_places import shareable, start_of, write_starts

CONFIG, RECORD, METRICS = "config.yaml", "run.json", "metrics.jsonl"
_LOCK = ".lock"


def begin_run(
    path: Path,
    config: StrictModel,
    record: Mapping[str, Any],
    files: Mapping[str, bytes] | None = None,
) -> None:
    """Create the directory of a new run, atomically, with further ``files`` by name.

    ``record`` is from `describe_run`.

    Raises `ConfigError` if it exists and is not empty.
    """
    check_new(path)
    with atomic_folder(path) as partial:
        (partial / CONFIG).write_text(dump_config(config), encoding="utf-8")
        text = json.dumps(shareable(record), indent=2) + "\n"
        (partial / RECORD).write_text(text, encoding="utf-8")
        write_starts(partial, [start_of(record)])
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
    """Keep other processes from writing into a run; the system releases the lock with the process.

    Every command that trains, evaluates, predicts or merges holds it from before it reads what it
    will add to until it has written the last file. What a process left that was killed once it had
    finished the run's directory, or a folder in it, is removed.

    Raises `ConfigError` if ``path`` is not a run, and `UserError` if it cannot be written or
    another process holds the lock.
    """
    if not (path / CONFIG).is_file():
        raise ConfigError(f"{path}: is not a run ({CONFIG} is missing)")
    require_writable(path)
    refusal = (
        f"{path}: another process writes into this run (it trains, evaluates, predicts or merges); "
        "wait for it, or use another run"
    )
    with locked_file(path / _LOCK, refusal):
        for folder in (path, *path.iterdir()):
            remove_finished(folder)
        yield
