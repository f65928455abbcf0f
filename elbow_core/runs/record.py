"""The record of a run, ``run.json``: what is needed to repeat it."""

import datetime
import hashlib
import importlib.metadata
import platform
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from elbow_core.errors import ConfigError
from elbow_core.files import read_json, read_regular
from elbow_core.runs.directory import RECORD

_MAX_DATA = 1 << 30
_MAX_RECORD = 1 << 24  # it grows with every resumption


def data_fingerprint(prepared: Path) -> str:
    """Return a SHA-256 over the manifest and the index of prepared data, in hexadecimal."""
    digest = hashlib.sha256()
    for name in ("manifest.csv", "index.json"):
        digest.update(read_regular(prepared / name, _MAX_DATA))
    return digest.hexdigest()


def describe_run(packages: Sequence[str], prepared: Path, **more: Any) -> dict[str, Any]:
    """Return the record of a run that begins now: command, commit, versions, platform and data.

    `begin_run` and `resume_run` write what names this machine to ``local.json``, and the rest to
    ``run.json``.
    """
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


def read_record(run: Path) -> dict[str, Any]:
    """Return the record of a run; raises `ConfigError` if it cannot be read or is none."""
    file = run / RECORD
    try:
        record = read_json(file, _MAX_RECORD)
    except OSError as error:
        raise ConfigError(f"{file}: cannot be read ({error.strerror}); restore it") from error
    except ValueError as error:
        raise ConfigError(f"{file}: cannot be read ({error}); restore it") from error
    if not isinstance(record, dict):
        raise ConfigError(f"{file}: is not the record of a run; restore it")
    return record


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
