"""Overrides of a configuration on the command line: ``--field.sub value``."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from elbow_core.config.strict_yaml import StrictYamlError, parse_yaml
from elbow_core.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Override:
    """One field to set: its path of keys, the text given, and that text read as YAML."""

    keys: list[str]
    text: str
    value: Any


def take_config_path(arguments: Sequence[str]) -> tuple[Path, list[str]]:
    """Split a command line into the file after ``--config`` and the overrides.

    Raises `ConfigError` if ``--config`` is missing or given twice.
    """
    pairs = _pair_overrides(arguments)
    paths = [value for name, value in pairs if name == "config"]
    if len(paths) != 1:
        raise ConfigError("give one --config FILE (and --help lists the fields)")
    return Path(paths[0]), [f"--{name}={value}" for name, value in pairs if name != "config"]


def parse_overrides(arguments: Sequence[str]) -> list[Override]:
    """Return the overrides of a command line; raises `ConfigError` for any other argument."""
    return [_parse_override(name, text) for name, text in _pair_overrides(arguments)]


def _pair_overrides(arguments: Sequence[str]) -> list[tuple[str, str]]:
    pairs = []
    remaining = list(arguments)
    while remaining:
        argument = remaining.pop(0)
        name, equals, value = argument.removeprefix("--").partition("=")
        if not argument.startswith("--") or not name:
            raise ConfigError(f"{argument}: expected --field.sub value")
        if not equals:
            if not remaining or remaining[0].startswith("--"):
                raise ConfigError(f"--{name}: needs a value")
            value = remaining.pop(0)
        pairs.append((name, value))
    return pairs


def _parse_override(name: str, text: str) -> Override:
    try:
        value = parse_yaml(text)
    except StrictYamlError:
        value = text
    return Override(name.split("."), text, value)


def set_value(values: dict[str, Any], keys: Sequence[str], value: Any) -> None:
    """Set a nested value; raises `ConfigError` if one of the outer keys is not a mapping."""
    for depth, key in enumerate(keys[:-1]):
        nested = values.setdefault(key, {})
        if not isinstance(nested, dict):
            raise ConfigError(
                f"--{'.'.join(keys)}: {'.'.join(keys[: depth + 1])} is {nested!r} and has no fields"
            )
        values = nested
    values[keys[-1]] = value
