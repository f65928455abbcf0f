"""What a run knows about the machine that trained it: ``local.json``, which is not to be shared.

``run.json`` is for others too. Commands, working directories and the places of data are therefore
written to a file of their own, and a path that remains elsewhere is cut to its last part.

local.json    {"schema": 1, "starts": [{"command": [...], "working_directory": ..., "data": ...}]}

One start is added when the run begins and each time it is resumed.
"""

import json
import re
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from elbow_core.errors import ConfigError
from elbow_core.files import atomic_file, read_json

LOCAL = "local.json"
SCHEMA = 1
_KEYS = ("command", "working_directory", "data")
_PATH = re.compile(r"""(?<![\w.:/~-])(?:~|\.\.)?/[^\s,;:'"(){}\[\]]+""")


def shareable(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return a record without what belongs into ``local.json``, and `without_paths`."""
    return {key: without_paths(value) for key, value in record.items() if key not in _KEYS}


def start_of(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return the part of a record that belongs into ``local.json``."""
    return {key: record[key] for key in _KEYS if key in record}


def read_starts(run: Path) -> list[dict[str, Any]]:
    """Return the starts in a run's ``local.json``, none if the file does not exist.

    Raises `ConfigError` if it cannot be read or is of another schema.
    """
    file = run / LOCAL
    try:
        content = read_json(file)
    except FileNotFoundError:
        return []
    except (OSError, ValueError) as error:
        raise ConfigError(f"{file}: cannot be read ({error}); restore it or delete it") from error
    starts = content.get("starts") if isinstance(content, dict) else None
    if not isinstance(starts, list) or content.get("schema") != SCHEMA:
        raise ConfigError(f"{file}: is not a file of schema {SCHEMA}; restore it or delete it")
    if not all(isinstance(start, dict) for start in starts):
        raise ConfigError(f"{file}: a start is not a JSON object; restore it or delete it")
    return starts


def write_starts(run: Path, starts: list[dict[str, Any]]) -> None:
    """Write a run's ``local.json``, completely or not at all."""
    text = json.dumps({"schema": SCHEMA, "starts": starts}, indent=2) + "\n"
    with atomic_file(run / LOCAL) as partial:
        partial.write_text(text, encoding="utf-8")


def without_paths(value: Any) -> Any:
    """Return a value, of JSON or YAML, whose texts hold no path of this machine.

    Absolute paths, and those that lead out of the working directory, become their last part, also
    within a longer text.
    """
    if isinstance(value, Mapping):
        return {key: without_paths(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [without_paths(item) for item in value]
    if not isinstance(value, str):
        return value
    if value.startswith(("/", "~", "../")):
        return PurePosixPath(value).name
    return _PATH.sub(lambda match: PurePosixPath(match[0]).name, value)
