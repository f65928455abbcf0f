"""The directory of a training run, for either side: made whole or not at all, resumed unchanged.

runs/<name>/config.yaml     resolved configuration
            run.json        what is needed to repeat the run
            metrics.jsonl   one row a log step and one an epoch
"""

import datetime
import hashlib
import importlib.metadata
import json
import platform
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from elbow_core.config import StrictModel, dump_config, load_config
from elbow_core.errors import ConfigError

CONFIG, RECORD, METRICS = "config.yaml", "run.json", "metrics.jsonl"


def begin_run(path: Path, config: StrictModel, record: Mapping[str, Any]) -> None:
    """Make the directory of a new run, aside and renamed.

    Raises `ConfigError` where it is there already and not empty.
    """
    if (path / CONFIG).exists():
        raise ConfigError(
            f"{path}: already holds a run; go on with it by --resume, or give another `run:`"
        )
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise ConfigError(f"{path}: is there already and is not a run; give another `run:`")
    making = path.with_name(f".{path.name}.making")
    shutil.rmtree(making, ignore_errors=True)
    making.mkdir(parents=True)
    (making / CONFIG).write_text(dump_config(config), encoding="utf-8")
    (making / RECORD).write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    making.replace(path)


def resume_run(path: Path, config: StrictModel, record: Mapping[str, Any]) -> None:
    """Check that a run may go on, or begin it where there is none yet.

    ``record`` is of `describe_run`. Raises `ConfigError`, naming the first key that
    differs, where the run began with another configuration or with other data.
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
            f"{path}: cannot resume, since {record['data']} has been prepared anew since the run "
            "began; give another `run:`"
        )


def data_fingerprint(prepared: Path) -> str:
    """Return a SHA-256 over the manifest and the index of prepared data, in hexadecimal."""
    digest = hashlib.sha256()
    for name in ("manifest.csv", "index.json"):
        digest.update((prepared / name).read_bytes())
    return digest.hexdigest()


def describe_run(packages: Sequence[str], prepared: Path, **more: Any) -> dict[str, Any]:
    """Return the record of a run that begins now: what ran, of which source, on which data."""
    return {
        "began": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "command": [Path(sys.argv[0]).name, *sys.argv[1:]],
        "commit": _commit(),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "versions": {name: importlib.metadata.version(name) for name in packages},
        **more,
        "data": str(prepared),
        "data_fingerprint": data_fingerprint(prepared),
    }


class MetricsLog:
    """``metrics.jsonl``: appended row by row; rows after the step resumed from are dropped.

    Its rows hold nothing that depends on the clock, so that a resumed run writes the same bytes.
    """

    def __init__(self, path: Path, after: int) -> None:
        kept: list[str] = []
        if path.exists():
            lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
            # A killed run can leave its last line cut short.
            whole = [line for line in lines if line.endswith("\n")]
            kept = [line for line in whole if json.loads(line)["step"] <= after]
        aside = path.with_suffix(".jsonl.aside")
        aside.write_text("".join(kept), encoding="utf-8")
        aside.replace(path)
        self._path = path

    def write(self, row: Mapping[str, Any]) -> None:
        """Append one row; it must hold ``step``."""
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")


def _commit() -> str | None:
    """Return the commit of the source, marked where files differ from it; None without git."""
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
            deeper = _first_difference(before.get(name), after.get(name), f"{key}.{name}")
            if deeper:
                return deeper
        return None
    return None if before == after else (key.removeprefix("."), before, after)
