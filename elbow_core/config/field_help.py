"""The ``--help`` text of the commands that read a configuration."""

import textwrap
import types
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel

from elbow_core.config.introspection import fields_of, models_in

_INDENT = " " * 6


def describe_fields(model: type[BaseModel]) -> str:
    """Return one entry per field, nested fields by dotted name: type, default, description."""
    return "\n".join(_lines(model, prefix=""))


def _lines(model: type, prefix: str) -> list[str]:
    lines = []
    for name, field in fields_of(model).items():
        nested = models_in(field.annotation)
        repeated = get_origin(field.annotation) in (tuple, list)
        single = len(nested) == 1 and not repeated
        default = "" if single else _default(field)
        kind = "" if single else f" {_type_name(field.annotation)}"
        lines.append(f"  --{prefix}{name}{kind}{default}")
        if field.description:
            lines += textwrap.wrap(
                field.description, 94, initial_indent=_INDENT, subsequent_indent=_INDENT
            )
        for schema in nested:
            if len(nested) > 1:
                lines.append(f"    {schema.__name__}: {(schema.__doc__ or '').splitlines()[0]}")
            lines += _lines(schema, f"{prefix}{name}{'[]' if repeated else ''}.")
    return lines


def _default(field: Any) -> str:
    if field.is_required():
        return " (required)"
    value = field.get_default(call_default_factory=True)
    if isinstance(value, BaseModel):
        return f" (default: {value.__class__.__name__})"
    return f" (default: {value})"


def _type_name(annotation: Any) -> str:
    if annotation is None or annotation is types.NoneType:
        return "null"
    if get_origin(annotation) is Literal:
        return "|".join(str(choice) for choice in get_args(annotation))
    if get_origin(annotation) in (tuple, list):
        return "[" + ", ".join(_type_name(item) for item in get_args(annotation)) + "]"
    if get_origin(annotation) is dict:
        key, value = (_type_name(item) for item in get_args(annotation))
        return f"{{{key}: {value}}}"
    if annotation is Ellipsis:
        return "..."
    if arguments := get_args(annotation):
        return "|".join(_type_name(item) for item in arguments if not _is_metadata(item))
    name = getattr(annotation, "__name__", str(annotation))
    return {"str": "text", "Path": "path", "bool": "true|false"}.get(name, name)


def _is_metadata(item: Any) -> bool:
    return not (isinstance(item, type) or item is types.NoneType or get_args(item))
