"""The fields and nested schemas of a schema."""

import dataclasses
import inspect
import re
import types
from dataclasses import is_dataclass
from typing import Any, get_args, get_type_hints

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined


def models_in(annotation: Any) -> list[type]:
    """Return the schemas in a type, including those inside unions, tuples, lists, `Annotated`.

    A schema is a pydantic model, or a dataclass of a package that does not use pydantic.
    """
    if isinstance(annotation, type) and not isinstance(annotation, types.GenericAlias):
        is_schema = issubclass(annotation, BaseModel) or is_dataclass(annotation)
        return [annotation] if is_schema else []
    return [model for argument in get_args(annotation) for model in models_in(argument)]


def fields_of(model: type) -> dict[str, FieldInfo]:
    """Return a schema's fields by name.

    The description of a dataclass's field is read from ``Attributes:`` in its docstring.
    """
    if issubclass(model, BaseModel):
        return model.model_fields
    hints = get_type_hints(model, include_extras=True)
    documented = _attributes(inspect.getdoc(model) or "")
    fields = {}
    for field in dataclasses.fields(model):
        default = PydanticUndefined if field.default is dataclasses.MISSING else field.default
        fields[field.name] = FieldInfo(
            annotation=hints[field.name], default=default, description=documented.get(field.name)
        )
    return fields


def _attributes(docstring: str) -> dict[str, str]:
    """Parse the section ``Attributes:`` of a docstring in Google style."""
    _, _, section = docstring.partition("Attributes:\n")
    entries = re.findall(r"^ {4}(\w+): (.+(?:\n {5,}.+)*)", section, re.MULTILINE)
    return {name: re.sub(r"\s*\n\s*", " ", text) for name, text in entries}
