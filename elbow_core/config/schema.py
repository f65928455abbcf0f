"""Configurations: strict schemas, YAML files, and overrides from the command line."""

import dataclasses
import inspect
import json
import re
import types
from collections.abc import Sequence
from dataclasses import is_dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar, get_args, get_type_hints

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from elbow_core.config.strict_yaml import StrictYamlError, format_yaml, parse_yaml
from elbow_core.errors import ConfigError

Model = TypeVar("Model", bound="StrictModel")

_MOST_PROBLEMS_NAMED = 3


class StrictModel(BaseModel):
    """The base of every schema: immutable, no unknown keys, no silent conversion of types."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        strict=True,
        allow_inf_nan=False,
        use_attribute_docstrings=True,
    )


def load_config(model: type[Model], path: Path | str, overrides: Sequence[str] = ()) -> Model:
    """Read a YAML file as ``model``, after setting ``--field.sub value`` or ``--field.sub=value``.

    An override is exactly as though its value stood in the file; the value is read as YAML, and
    as plain text where the schema wants text. Lists become tuples and strings become paths where
    the schema says so; nothing else is converted.

    Raises `ConfigError`, one line ``file: key: what is wrong``, for a file that is missing or is
    not one mapping, a duplicate or misspelt key, and every value that the schema refuses.
    """
    values = _read_mapping(Path(path))
    settings = [_parse_override(*pair) for pair in _pair_overrides(overrides)]
    for keys, _, value in settings:
        _set(values, keys, value)
    try:
        return _validate(model, values)
    except ValidationError as error:
        wanting_text = _paths_of(error, values, ("string_type", "path_type"))
    for keys, text, _ in settings:
        if tuple(keys) in wanting_text:
            _set(values, keys, text)
    try:
        return _validate(model, values)
    except ValidationError as error:
        overridden = {".".join(keys) for keys, _, _ in settings}
        raise ConfigError(f"{path}: {_describe(error, model, values, overridden)}") from error


def dump_config(config: StrictModel) -> str:
    """Return the resolved configuration as YAML; `load_config` reads it back equal."""
    return format_yaml(config.model_dump(mode="json"))


def take_config_path(arguments: Sequence[str]) -> tuple[Path, list[str]]:
    """Split a command line into the file after ``--config`` and the overrides.

    Raises `ConfigError` where ``--config`` is missing or stands twice.
    """
    pairs = _pair_overrides(arguments)
    paths = [value for name, value in pairs if name == "config"]
    if len(paths) != 1:
        raise ConfigError("give one --config FILE (and --help lists the fields)")
    return Path(paths[0]), [f"--{name}={value}" for name, value in pairs if name != "config"]


def _read_mapping(path: Path) -> dict[str, Any]:
    try:
        values = parse_yaml(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: is not UTF-8 text") from error
    except StrictYamlError as error:
        place = path if error.line is None else f"{path}:{error.line}"
        raise ConfigError(f"{place}: {error}") from error
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise ConfigError(f"{path}: holds no mapping of keys to values")
    return values


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


def _parse_override(name: str, text: str) -> tuple[list[str], str, Any]:
    try:
        value = parse_yaml(text)
    except StrictYamlError:
        value = text
    return name.split("."), text, value


def _set(values: dict[str, Any], keys: Sequence[str], value: Any) -> None:
    for depth, key in enumerate(keys[:-1]):
        below = values.setdefault(key, {})
        if not isinstance(below, dict):
            raise ConfigError(
                f"--{'.'.join(keys)}: {'.'.join(keys[: depth + 1])} is {below!r} and has no fields"
            )
        values = below
    values[keys[-1]] = value


def _validate(model: type[Model], values: dict[str, Any]) -> Model:
    # Through JSON, since there strict validation takes a list for a tuple and a string for a path.
    return model.model_validate_json(json.dumps(values))


def _paths_of(
    error: ValidationError, values: Any, kinds: tuple[str, ...]
) -> set[tuple[str | int, ...]]:
    return {_path(problem["loc"], values) for problem in error.errors() if problem["type"] in kinds}


def _path(location: tuple[str | int, ...], values: Any) -> tuple[str | int, ...]:
    """Keep what the user wrote: pydantic also puts the member of a union into a location."""
    path = []
    for position, key in enumerate(location):
        if isinstance(values, dict) and key in values:
            path.append(key)
            values = values[str(key)]
        elif isinstance(values, list) and isinstance(key, int) and key < len(values):
            path.append(key)
            values = values[key]
        elif isinstance(values, dict) and position == len(location) - 1:
            path.append(key)
    return tuple(path)


def _describe(
    error: ValidationError, model: type[BaseModel], values: Any, overridden: set[str]
) -> str:
    problems: dict[str, list[str]] = {}
    # A misspelt key comes first: what it leaves missing follows from it.
    for problem in sorted(error.errors(), key=lambda found: found["type"] != "extra_forbidden"):
        path = _path(problem["loc"], values)
        name = ".".join(str(key) for key in path)
        if name in overridden:
            name += " (from the command line)"
        message = _message(problem, path, model, values)
        if message not in problems.setdefault(name, []):
            problems[name].append(message)
    lines = [f"{name}: {' or '.join(said)}" if name else said[0] for name, said in problems.items()]
    more = len(lines) - _MOST_PROBLEMS_NAMED
    tail = f"; and {more} more" if more > 0 else ""
    return "; ".join(lines[:_MOST_PROBLEMS_NAMED]) + tail


_BOUNDS = {
    "less_than": ("is not below", "lt"),
    "less_than_equal": ("is above", "le"),
    "greater_than": ("is not above", "gt"),
    "greater_than_equal": ("is below", "ge"),
}
_TYPES = {
    "int_type": "an integer",
    "int_from_float": "an integer",
    "float_type": "a number",
    "bool_type": "true or false",
    "string_type": "text",
    "path_type": "a path",
    "tuple_type": "a list",
    "list_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
    "finite_number": "a finite number",
}


def _message(problem: Any, path: tuple[str | int, ...], model: type[BaseModel], values: Any) -> str:
    kind, given, context = problem["type"], problem["input"], problem.get("ctx", {})
    if kind in ("extra_forbidden", "unexpected_keyword_argument"):
        return _unknown_key(str(path[-1]), _valid_keys(model, path[:-1], values))
    if kind in ("missing", "union_tag_not_found"):
        missing = context.get("discriminator", "").strip("'")
        return f"{missing} is missing" if missing else "is missing"
    if kind in _BOUNDS:
        words, bound = _BOUNDS[kind]
        return f"{given!r} {words} {context[bound]:g}"
    if kind in _TYPES:
        return f"{given!r} is not {_TYPES[kind]}"
    if kind == "literal_error":
        return f"{given!r} is not one of {context['expected']}"
    if kind == "union_tag_invalid":
        tag, expected = context["tag"], context["expected_tags"]
        return f"{context['discriminator'].strip(chr(39))} {tag!r} is not one of {expected}"
    if kind in ("value_error", "assertion_error"):
        return str(context["error"])
    return f"{problem['msg'][:1].lower()}{problem['msg'][1:]}"


def _unknown_key(key: str, valid: list[str]) -> str:
    nearest = get_close_matches(key, valid, n=1, cutoff=0.5)
    if nearest:
        return f"unknown key; did you mean '{nearest[0]}'?"
    return f"unknown key; valid keys are {', '.join(valid)}"


def _valid_keys(model: type[BaseModel], path: tuple[str | int, ...], values: Any) -> list[str]:
    candidates: list[type] = [model]
    for key in path:
        if isinstance(key, str):
            fields = [fields_of(found).get(key) for found in candidates]
            annotations = [field.annotation for field in fields if field]
            candidates = [found for annotation in annotations for found in models_in(annotation)]
        values = values[key]
        if isinstance(values, dict) and len(candidates) > 1:
            candidates = [found for found in candidates if _kind_matches(found, values)]
    return sorted({name for found in candidates for name in fields_of(found)})


def _kind_matches(model: type, values: dict[str, Any]) -> bool:
    kind = fields_of(model).get("kind")
    return kind is None or "kind" not in values or values["kind"] in get_args(kind.annotation)


def models_in(annotation: Any) -> list[type]:
    """Return the schemas named in a type, through unions, tuples, lists and `Annotated`.

    A schema is a pydantic model, or a dataclass of a package that does without pydantic.
    """
    if isinstance(annotation, type) and not isinstance(annotation, types.GenericAlias):
        known = issubclass(annotation, BaseModel) or is_dataclass(annotation)
        return [annotation] if known else []
    return [found for argument in get_args(annotation) for found in models_in(argument)]


def fields_of(model: type) -> dict[str, FieldInfo]:
    """Return a schema's fields by name.

    What a dataclass's docstring says of a field under ``Attributes:`` is its description.
    """
    if issubclass(model, BaseModel):
        return model.model_fields
    hints = get_type_hints(model, include_extras=True)
    documented = _attributes(inspect.getdoc(model) or "")
    found = {}
    for field in dataclasses.fields(model):
        default = PydanticUndefined if field.default is dataclasses.MISSING else field.default
        found[field.name] = FieldInfo(
            annotation=hints[field.name], default=default, description=documented.get(field.name)
        )
    return found


def _attributes(docstring: str) -> dict[str, str]:
    """Read the section ``Attributes:`` of a docstring in Google's form."""
    _, _, section = docstring.partition("Attributes:\n")
    entries = re.findall(r"^ {4}(\w+): (.+(?:\n {5,}.+)*)", section, re.MULTILINE)
    return {name: re.sub(r"\s*\n\s*", " ", text) for name, text in entries}
