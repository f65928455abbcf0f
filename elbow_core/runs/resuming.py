"""Resuming a run: what may differ from its beginning, and what is recorded."""

import json
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from elbow_core.config import StrictModel, dump_config, load_config
from elbow_core.errors import ConfigError
from elbow_core.files import atomic_file
from elbow_core.runs.directory import CONFIG, RECORD, begin_run
from elbow_core.runs.local_places import read_starts, shareable, start_of, write_starts
from elbow_core.runs.record import read_record

HARMLESS = frozenset(
    (
        "run",
        "data.prepared",  # its fingerprint is compared
        "data.workers",
        "log_every",
        "checkpoint_every",
    )
)
"""Fields of every run's configuration that do not change its result."""


class Change(NamedTuple):
    """The value of a field when the run began, or was last resumed, and now."""

    before: Any
    after: Any


@dataclass(frozen=True)
class ResumeRules:
    """The fields of a configuration that may differ when a run is resumed.

    Attributes:
        harmless: dotted names of fields that do not change the result.
        raised: fields that may be raised: a longer run passes through the shorter one's states.
        same: for a field that may name one thing in several ways (a path), a function of the
            dotted name, the change and the recorded beginning that returns whether both values name
            the same thing.
        reasons: why another field must not change, for the message.
    """

    harmless: frozenset[str] = frozenset()
    raised: frozenset[str] = frozenset()
    same: Mapping[str, Callable[[str, Change, Mapping[str, Any]], bool]] = field(
        default_factory=dict
    )
    reasons: Mapping[str, str] = field(default_factory=dict)


def resume_run(
    path: Path, config: StrictModel, record: Mapping[str, Any], rules: ResumeRules
) -> dict[str, Change]:
    """Check that a run can be resumed and record it, or begin it if it does not exist.

    ``run.json`` then lists the resumption with all that differs from the beginning, ``local.json``
    the command and the places of now, and ``config.yaml`` holds the configuration as it is now. If
    ``environment`` of the record (variables that may change a result) differs, a line on standard
    error names the variable.

    Args:
        path: of the run.
        config: its configuration now.
        record: from `describe_run`, now.
        rules: what may differ.

    Returns:
        The fields that changed since the run began or was last resumed, by dotted name.

    Raises:
        ConfigError: as `check_resume` does.
    """
    if not (path / CONFIG).exists():
        begin_run(path, config, record)
        return {}
    changes = check_resume(path, config, record, rules)
    starts, recorded = _separated(read_starts(path), read_record(path))
    present = shareable(record)
    for name, change in _differences(recorded.get("environment"), present.get("environment")):
        print(
            f"{path}: {name} is {_shown(change.after)} and was {_shown(change.before)} when the "
            "run began; results may differ in their last digits",
            file=sys.stderr,
        )
    resumption = {key: value for key, value in present.items() if recorded.get(key) != value}
    start = start_of(record)
    if changes:
        start["changed"] = {name: list(change) for name, change in changes.items()}
        resumption |= shareable({"changed": start["changed"]})
    recorded.setdefault("resumed", []).append(resumption)
    write_starts(path, [*starts, start])
    with atomic_file(path / RECORD) as partial:
        partial.write_text(json.dumps(recorded, indent=2) + "\n", encoding="utf-8")
    if changes:
        with atomic_file(path / CONFIG) as partial:
            partial.write_text(dump_config(config), encoding="utf-8")
    return changes


def check_resume(
    path: Path, config: StrictModel, record: Mapping[str, Any], rules: ResumeRules
) -> dict[str, Change]:
    """Check that an existing run can be resumed; nothing is written.

    ``settings`` of the record (those of a library that change a result) must be those of the
    beginning.

    Returns:
        The fields that changed, by dotted name.

    Raises:
        ConfigError: if the run began with another configuration, naming the first key that differs,
            with other data, or with other settings; or if its files cannot be read.
    """
    began = load_config(type(config), path / CONFIG).model_dump(mode="json")
    changes = dict(_differences(began, config.model_dump(mode="json")))
    recorded = read_record(path)
    for name, change in changes.items():
        if not _is_allowed(name, change, recorded, rules):
            reason = rules.reasons.get(name, "restore it")
            raise ConfigError(
                f"{path}: cannot resume, since {name} is {change.after} and the run began with "
                f"{change.before}; {reason}, or give another `run:`"
            )
    if "data_fingerprint" not in recorded:
        raise ConfigError(f"{path / RECORD}: is not the record of a run; restore it")
    if recorded["data_fingerprint"] != record["data_fingerprint"]:
        raise ConfigError(
            f"{path}: cannot resume, since {record['data']} has been prepared again since the run "
            "began; give another `run:`"
        )
    settings = shareable({"settings": record.get("settings")})["settings"]
    for name, change in _differences(recorded.get("settings"), settings):
        raise ConfigError(
            f"{path}: cannot resume, since {name} is {_shown(change.after)} and the run began with "
            f"{_shown(change.before)}; restore it, or give another `run:`"
        )
    return changes


def _separated(
    starts: list[dict[str, Any]], recorded: dict[str, Any]
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Return the starts of a run and its record; those of older runs are in the record."""
    beginnings = [recorded, *recorded.get("resumed", [])]
    older = [start for start in map(start_of, beginnings) if start]
    shared = shareable({key: value for key, value in recorded.items() if key != "resumed"})
    if "resumed" in recorded:
        shared["resumed"] = [shareable(entry) for entry in recorded["resumed"]]
    return [*older, *starts], shared


def _is_allowed(name: str, change: Change, recorded: Mapping[str, Any], rules: ResumeRules) -> bool:
    if name in rules.harmless:
        return True
    if name in rules.raised:
        return change.before < change.after
    return any(
        same(name, change, recorded)
        for key, same in rules.same.items()
        if name == key or name.startswith(f"{key}.")
    )


def _shown(value: Any) -> str:
    return "unset" if value is None else str(value)


def _differences(before: Any, after: Any, key: str = "") -> Iterator[tuple[str, Change]]:
    """Yield the dotted keys at which two trees differ; nothing where one is not recorded at all."""
    if isinstance(before, dict) and isinstance(after, dict):
        for name in [*before, *(name for name in after if name not in before)]:
            yield from _differences(before.get(name), after.get(name), f"{key}.{name}")
    elif before != after and (key or (before is not None and after is not None)):
        yield key.removeprefix("."), Change(before, after)
