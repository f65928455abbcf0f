"""The table of a report on where heat maps lie: the numbers of a localisation.json."""

import math
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from elbow_core.errors import PredictionsError
from elbow_core.evaluation.report.rendering import Block, Paragraph, Table
from elbow_core.evaluation.report.tables import estimate
from elbow_core.files import read_json

_COLUMNS = {
    "pointing": "Pointing game",
    "pointing_tolerant": "with tolerance",
    "energy": "Energy inside",
    "iou": "IoU at equal area",
    "froc_mean": "Mean FROC sensitivity",
}
_MAX_BYTES = 1 << 26

Rows = Mapping[str, tuple[str, ...]]
"""The cells of each set of maps by its name."""
NOT_MEASURED: Rows = MappingProxyType({})


def read_localisation(path: Path) -> Rows:
    """Read the measures of every set of maps, baselines too, of a localisation.json.

    Raises `PredictionsError`, which names the file, for one that cannot be read or is none.
    """
    try:
        content = read_json(path, _MAX_BYTES)
        if content["kind"] != "localisation":
            raise ValueError(f"is of the kind {content['kind']!r}")
        return {
            label: tuple(_cell(found["measures"][name]) for name in _COLUMNS)
            for label, found in content["sets"].items()
        }
    except OSError as error:
        raise PredictionsError(f"{path}: cannot be read: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise PredictionsError(
            f"{path}: is not a localisation.json of `python -m elbow_core.evaluation.localisation`"
        ) from error


def localisation_blocks(rows: Rows) -> list[Block]:
    """Return the table and how to read it; empty without rows."""
    if not rows:
        return []
    return [
        Table(
            "Agreement of heat maps with the boxes of injuries",
            ("Maps", *_COLUMNS.values()),
            tuple((label, *cells) for label, cells in rows.items()),
        ),
        Paragraph(
            "Means over injured images with a box, and the mean sensitivity for boxes at seven "
            "rates of false marks. Only maps above both the centre prior and random weights have "
            "shown that the network looks at injuries."
        ),
    ]


def _cell(measure: dict[str, Any]) -> str:
    numbers = (measure[name] for name in ("value", "low", "high"))
    return estimate(*(math.nan if found is None else float(found) for found in numbers))
