"""The base of every schema, and reading and writing of configuration files."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError, field_validator

from elbow_core.config.overrides import parse_overrides, set_value
from elbow_core.config.paths import expand_path, find_undecodable
from elbow_core.config.problems import describe_problems, paths_of_kind
from elbow_core.config.strict_yaml import StrictYamlError, format_yaml, parse_yaml
from elbow_core.errors import ConfigError
from elbow_core.files import read_regular

_MAX_BYTES = 1 << 20

Model = TypeVar("Model", bound="StrictModel")


class StrictModel(BaseModel):
    """The base of every schema: immutable, no unknown keys, no implicit conversion of types.

    In a path ``~`` and ``$VARIABLE`` are expanded.
    """

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        strict=True,
        allow_inf_nan=False,
        use_attribute_docstrings=True,
    )

    @field_validator("*")
    @classmethod
    def _expand_paths(cls, value: Any) -> Any:
        return Path(expand_path(str(value))) if isinstance(value, Path) else value


def load_config(model: type[Model], path: Path | str, overrides: Sequence[str] = ()) -> Model:
    """Read a YAML file as ``model``, after setting ``--field.sub value`` or ``--field.sub=value``.

    An override has the same effect as its value in the file; it is read as YAML, or as plain text
    if the schema requires text. Lists become tuples and strings become paths where the schema
    requires it; nothing else is converted.

    Raises `ConfigError`, one line ``file: key: problem``, for a file that is missing or is not one
    mapping, a duplicate or misspelt key, and every value that the schema rejects.
    """
    values = _read_mapping(Path(path))
    settings = parse_overrides(overrides)
    for setting in settings:
        set_value(values, setting.keys, setting.value)
    if key := find_undecodable(values):
        raise ConfigError(
            f"{path}: {key}: contains bytes that are not UTF-8; rename the file or folder, or give "
            "a link to it with another name"
        )
    try:
        return _validate(model, values)
    except ValidationError as error:
        text_fields = paths_of_kind(error, values, ("string_type", "path_type"))
    for setting in settings:
        if tuple(setting.keys) in text_fields:
            set_value(values, setting.keys, setting.text)
    try:
        return _validate(model, values)
    except ValidationError as error:
        overridden = {".".join(setting.keys) for setting in settings}
        raise ConfigError(
            f"{path}: {describe_problems(error, model, values, overridden)}"
        ) from error


def dump_config(config: StrictModel) -> str:
    """Return the resolved configuration as YAML; `load_config` reads it back unchanged."""
    return format_yaml(config.model_dump(mode="json"))


def _read_mapping(path: Path) -> dict[str, Any]:
    try:
        values = parse_yaml(read_regular(path, _MAX_BYTES).decode("utf-8-sig"))
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: is not UTF-8 text") from error
    except StrictYamlError as error:
        location = path if error.line is None else f"{path}:{error.line}"
        raise ConfigError(f"{location}: {error}") from error
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise ConfigError(f"{path}: is not a mapping of keys to values")
    return values


def _validate(model: type[Model], values: dict[str, Any]) -> Model:
    # Through JSON: only there does strict validation accept a list as a tuple, a string as a path.
    return model.model_validate_json(json.dumps(values))
