"""A strict subset of YAML: no duplicate keys, aliases or tags; numbers as in YAML 1.2."""

import math
import re
import string
from typing import Any

import yaml

from elbow_core.identity import has_outer_blanks

_FLOAT = re.compile(r"[-+]?(?:[0-9]+\.[0-9]*|\.[0-9]+|[0-9]+)(?:[eE][-+]?[0-9]+)?")
_INTEGER = re.compile(r"[-+]?(?:0|[1-9][0-9]*)")
_LEADING_ZERO = re.compile(r"[-+]?0[0-9]+")
_WORDS = {"": None, "~": None, "null": None, "Null": None, "NULL": None}
_WORDS |= {"true": True, "True": True, "TRUE": True}
_WORDS |= {"false": False, "False": False, "FALSE": False}


class StrictYamlError(ValueError):
    """Text that is not one document of this YAML subset; the message is one line."""

    def __init__(self, message: str, line: int | None) -> None:
        super().__init__(message)
        self.line = line


def parse_yaml(text: str) -> Any:
    """Parse one YAML document into mappings, lists and scalars.

    Plain scalars follow the core schema of YAML 1.2 in decimal: ``1e-3`` is a number, ``no`` and
    ``2020-01-31`` are strings, and so are ``0012``, ``1_000``, ``1:30``, ``1e999`` and digits that
    are not ASCII; a schema that asks for a number refuses them. Keys are always strings. Aliases,
    tags and merge keys are rejected, so that every value is written at its place. So are tabs
    before a value, and a key or value without quotes that starts or ends with a blank other than a
    space, or with an invisible character.

    Raises `StrictYamlError` with the line, counted from 1.

    Reference: YAML 1.2.2, section 10.3.
    """
    try:
        node = yaml.compose(text, Loader=_Loader)
        return None if node is None else _value(node)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        problem = " ".join((error.problem or error.context or "not YAML").split())
        if "'\\t'" in problem:
            problem = "a tab; use spaces"
        raise StrictYamlError(problem, None if mark is None else mark.line + 1) from error
    except yaml.YAMLError as error:
        raise StrictYamlError(" ".join(str(error).split()), None) from error
    except RecursionError as error:
        raise StrictYamlError("nested too deeply", None) from error


def format_yaml(value: Any) -> str:
    """Return block YAML with keys in order; `parse_yaml` reads it back as ``value``."""
    return yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100)


class _Loader(yaml.SafeLoader):
    def compose_node(self, parent: Any, index: Any) -> Any:
        event = self.peek_event()
        if isinstance(event, yaml.AliasEvent):
            raise StrictYamlError(f"alias *{event.anchor}: write the value in full", _line(event))
        tag = getattr(event, "tag", None)
        if tag is not None and tag != "!":
            raise StrictYamlError(f"tag {tag}: tags are not supported", _line(event))
        return super().compose_node(parent, index)


class _Dumper(yaml.SafeDumper):
    def represent_text(self, text: str) -> yaml.Node:
        # Unquoted or in single quotes these are line breaks, which YAML folds into spaces.
        folded = any(mark in text for mark in "\x85\u2028\u2029\ufeff")
        style = '"' if folded or has_outer_blanks(text.strip(string.whitespace)) else None
        return self.represent_scalar("tag:yaml.org,2002:str", text, style)


_Dumper.add_representer(str, _Dumper.represent_text)


# Quote strings such as "1e-3": they are numbers in YAML 1.2, but not in PyYAML's YAML 1.1.
_Dumper.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(rf"^(?:{_FLOAT.pattern})$"), list("-+.0123456789")
)


def _line(node: Any) -> int:
    return node.start_mark.line + 1


def _value(node: yaml.Node) -> Any:
    if isinstance(node, yaml.ScalarNode):
        _refuse_outer_blanks(node)
        return node.value if node.style is not None else _plain(node.value)
    if isinstance(node, yaml.SequenceNode):
        return [_value(item) for item in node.value]
    mapping: dict[str, Any] = {}
    for key, item in node.value:
        if not isinstance(key, yaml.ScalarNode):
            raise StrictYamlError("a key must be a scalar", _line(key))
        _refuse_outer_blanks(key)
        if key.value == "<<" and key.style is None:
            raise StrictYamlError("merge key <<: write the keys in full", _line(key))
        if key.value in mapping:
            raise StrictYamlError(f"key '{key.value}' is repeated", _line(key))
        mapping[key.value] = _value(item)
    return mapping


def _plain(text: str) -> Any:
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text):
        return _integer(text)
    if _FLOAT.fullmatch(text) and not _LEADING_ZERO.fullmatch(text):
        number = float(text)
        return number if math.isfinite(number) else text
    return text


def _refuse_outer_blanks(node: yaml.ScalarNode) -> None:
    if node.style is None and has_outer_blanks(node.value):
        raise StrictYamlError(
            f"{node.value!r} starts or ends with a blank or an invisible character; remove it, or "
            "write the text in quotes",
            _line(node),
        )


def _integer(text: str) -> int | str:
    # Python refuses to convert very long digit strings; here they remain strings.
    return int(text) if len(text) < 1000 else text
