"""Values that a field of a JSON record must refuse, and the places of a JSON tree to put them."""

import json
from typing import Any

HOSTILE = (
    None, "", "a\nb", "x" * 100_000, "\x1b[2J", "ü\u202e", [], {}, [[]], True, -1, -0.5, 10**400,
    1e308, 0, "0.5", "nan", {"a": {}}, ["a", "a"], "../../etc/passwd",
)  # fmt: skip


def places(content: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the places of all values in a JSON tree, inner nodes included."""
    entries = content.items() if isinstance(content, dict) else enumerate(content)
    found = []
    for key, value in entries:
        found.append((*path, key))
        if isinstance(value, dict | list):
            found += places(value, (*path, key))
    return found


def replaced(content: Any, place: tuple[Any, ...], value: Any) -> Any:
    """Return a copy of a JSON tree with another value at a place."""
    content = json.loads(json.dumps(content))
    node = content
    for key in place[:-1]:
        node = node[key]
    node[place[-1]] = value
    return content
