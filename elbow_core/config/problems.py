"""Error messages for values that a schema rejects."""

from difflib import get_close_matches
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from elbow_core.config.introspection import fields_of, models_in

_MAX_NAMED = 3
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


def describe_problems(
    error: ValidationError, model: type[BaseModel], values: Any, overridden: set[str]
) -> str:
    """Return ``key: problem`` for each problem on one line, at most three and a count.

    ``values`` are the rejected ones; ``overridden`` contains the dotted names of the fields
    set on the command line.
    """
    problems: dict[str, list[str]] = {}
    # Misspelt keys first, since the missing keys follow from them.
    for problem in sorted(error.errors(), key=lambda problem: problem["type"] != "extra_forbidden"):
        path = _path(problem["loc"], values)
        name = ".".join(str(key) for key in path)
        if name in overridden:
            name += " (from the command line)"
        message = _message(problem, path, model, values)
        if message not in problems.setdefault(name, []):
            problems[name].append(message)
    lines = [
        f"{name}: {' or '.join(messages)}" if name else messages[0]
        for name, messages in problems.items()
    ]
    more = len(lines) - _MAX_NAMED
    tail = f"; and {more} more" if more > 0 else ""
    return "; ".join(lines[:_MAX_NAMED]) + tail


def paths_of_kind(
    error: ValidationError, values: Any, kinds: tuple[str, ...]
) -> set[tuple[str | int, ...]]:
    """Return the paths of keys with a problem of one of pydantic's error types."""
    return {_path(problem["loc"], values) for problem in error.errors() if problem["type"] in kinds}


def _path(location: tuple[str | int, ...], values: Any) -> tuple[str | int, ...]:
    """Return the keys of the file in a location: pydantic also includes the member of a union."""
    path = []
    member = ""  # of the union that was entered last, which may be the name of a key too
    for position, key in enumerate(location):
        if path and isinstance(values, dict) and key == values.get("kind") != member:
            member = key
        elif isinstance(values, dict) and key in values:
            path.append(key)
            values, member = values[str(key)], ""
        elif isinstance(values, list) and isinstance(key, int) and key < len(values):
            path.append(key)
            values = values[key]
        elif isinstance(values, dict) and position == len(location) - 1:
            path.append(key)
    return tuple(path)


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
            fields = [fields_of(candidate).get(key) for candidate in candidates]
            annotations = [field.annotation for field in fields if field]
            candidates = [nested for annotation in annotations for nested in models_in(annotation)]
        values = values[key]
        if isinstance(values, dict) and len(candidates) > 1:
            candidates = [candidate for candidate in candidates if _kind_matches(candidate, values)]
    return sorted({name for candidate in candidates for name in fields_of(candidate)})


def _kind_matches(model: type, values: dict[str, Any]) -> bool:
    kind = fields_of(model).get("kind")
    return kind is None or "kind" not in values or values["kind"] in get_args(kind.annotation)
