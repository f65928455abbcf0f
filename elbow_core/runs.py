"""The directory of a training run: created atomically, resumed with the same configuration.

runs/<name>/config.yaml     resolved configuration
            run.json        command, versions and data, to repeat the run
            metrics.jsonl   one row per logged step and one per epoch
"""

import datetime
import hashlib
import importlib.metadata
import json
import platform
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from elbow_core.config import StrictModel, dump_config, load_config
from elbow_core.errors import ConfigError
from elbow_core.files import atomic_file, atomic_folder

CONFIG, RECORD, METRICS = "config.yaml", "run.json", "metrics.jsonl"


def begin_run(path: Path, config: StrictModel, record: Mapping[str, Any]) -> None:
    """Create the directory of a new run, atomically.

    Raises `ConfigError` if it exists and is not empty.
    """
    if (path / CONFIG).exists():
        raise ConfigError(
            f"{path}: already contains a run; continue it with --resume, or give another `run:`"
        )
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise ConfigError(f"{path}: already exists and is not a run; give another `run:`")
    with atomic_folder(path) as partial:
        (partial / CONFIG).write_text(dump_config(config), encoding="utf-8")
        (partial / RECORD).write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")


def resume_run(path: Path, config: StrictModel, record: Mapping[str, Any]) -> None:
    """Check that a run can be resumed, or begin it if it does not exist.

    ``record`` comes from `describe_run`. Raises `ConfigError` if the run began with another
    configuration, naming the first key that differs, or with other data.
    """
    if not (path / CONFIG).exists():
        begin_run(path, config, record)
        return
    began = load_config(type(config), path / CONFIG).model_dump(mode="json")
    if difference := _first_difference(began, config.model_dump(mode="json")):
        key, before, after = difference
        raise ConfigError(
            f"{path}: cannot resume, since {key} is {after} and the run began with {before}; "
            "restore it, or give another `run:`"
        )
    recorded = json.loads((path / RECORD).read_text(encoding="utf-8"))
    if recorded["data_fingerprint"] != record["data_fingerprint"]:
        raise ConfigError(
            f"{path}: cannot resume, since {record['data']} has been prepared again since the run "
            "began; give another `run:`"
        )


def data_fingerprint(prepared: Path) -> str:
    """Return a SHA-256 over the manifest and the index of prepared data, in hexadecimal."""
    digest = hashlib.sha256()
    for name in ("manifest.csv", "index.json"):
        digest.update((prepared / name).read_bytes())
    return digest.hexdigest()


def describe_run(packages: Sequence[str], prepared: Path, **more: Any) -> dict[str, Any]:
    """Return the record of a run that begins now: command, commit, versions, platform and data."""
    return {
        "began": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "command": [Path(sys.argv[0]).name, *sys.argv[1:]],
        "commit": _commit(),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "versions": {name: importlib.metadata.version(name) for name in packages},
        **more,
        "working_directory": str(Path.cwd()),
        "data": str(prepared.absolute()),
        "data_fingerprint": data_fingerprint(prepared),
    }


class MetricsLog:
    """``metrics.jsonl``, one row at a time; on resuming, rows after step ``after`` are dropped.

    Rows contain no times, so that a resumed run writes the same bytes.
    """

    def __init__(self, path: Path, after: int) -> None:
        kept: list[str] = []
        if path.exists():
            lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
            # A killed run can leave an incomplete last line.
            complete = [line for line in lines if line.endswith("\n")]
            kept = [line for line in complete if json.loads(line)["step"] <= after]
        with atomic_file(path) as partial:
            partial.write_text("".join(kept), encoding="utf-8")
        self._path = path

    def write(self, row: Mapping[str, Any]) -> None:
        """Append one row; it must contain ``step``."""
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")


def _commit() -> str | None:
    """Return the commit of the source, "-dirty" if files differ from it; None without git."""
    try:
        described = subprocess.run(
            ["git", "describe", "--always", "--dirty", "--abbrev=40"],
            cwd=Path(__file__).parent,
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return described.stdout.strip()


def _first_difference(before: Any, after: Any, key: str = "") -> tuple[str, Any, Any] | None:
    """Return the first dotted key at which two configurations differ, and both values."""
    if isinstance(before, dict) and isinstance(after, dict):
        for name in [*before, *(name for name in after if name not in before)]:
            difference = _first_difference(before.get(name), after.get(name), f"{key}.{name}")
            if difference:
                return difference
        return None
    return None if before == after else (key.removeprefix("."), before, after)
