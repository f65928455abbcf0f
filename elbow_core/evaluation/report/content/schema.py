"""The version of metrics.json, and how such a file is recognised without its content's classes."""

from typing import Any

SCHEMA = 4


def is_metrics_json(content: Any) -> bool:
    """Return whether the content of a JSON file is that of a metrics.json of ours."""
    return (
        isinstance(content, dict)
        and type(content.get("schema")) is int
        and 1 <= content["schema"] <= SCHEMA
        and content.keys() >= {"images", "injured", "normal", "draws", "seed", "models"}
        and isinstance(content["models"], dict)
    )
