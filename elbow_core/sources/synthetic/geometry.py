"""What each image of a synthetic tree shows, and where: the file ``geometry.json``."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from elbow_core.dataset import Region
from elbow_core.errors import UserError
from elbow_core.files import parse_json, read_json

GEOMETRY = "geometry.json"

_JOURNAL = f"{GEOMETRY}.started"
_MAX_BYTES = 1 << 28


@dataclass(frozen=True, slots=True)
class Depicted:
    """What an image shows: body part, view, finding, and the regions of breaks and metal."""

    part: str
    view: str
    finding: str
    regions: list[Region]


Geometry = Mapping[str, Depicted]
"""By path in the tree."""


class GeometryJournal:
    """The geometry of a tree that is being written: a line for each patient, in order.

    An interrupted tree continues after the last patient whose line is complete and whose images
    all exist; what follows in the journal is dropped.
    """

    def __init__(self, root: Path) -> None:
        self._path = root / _JOURNAL
        content = self._path.read_bytes() if self._path.exists() else b""
        self._lines: list[bytes] = []
        for line in content.splitlines(keepends=True):
            if not (line.endswith(b"\n") and _is_written(root, line)):
                break
            self._lines.append(line)
        self._file = self._path.open("ab")
        self._file.truncate(sum(map(len, self._lines)))

    def close(self) -> None:
        """Close the file, which stays."""
        self._file.close()

    @property
    def patients(self) -> int:
        """The number of patients whose images exist."""
        return len(self._lines)

    def append(self, geometry: Geometry) -> None:
        """Record that the images of the next patient are written."""
        entries = {path: asdict(depicted) for path, depicted in geometry.items()}
        line = json.dumps(entries, separators=(",", ":")).encode() + b"\n"
        self._file.write(line)
        self._file.flush()
        self._lines.append(line)

    def joined(self) -> bytes:
        """Return the content of ``geometry.json``."""
        entries: dict[str, Any] = {}
        for line in self._lines:
            entries |= parse_json(line)
        rows = (f"{json.dumps(path)}: {json.dumps(entries[path])}" for path in sorted(entries))
        return ("{\n" + ",\n".join(rows) + "\n}\n").encode()


def remove_journal(root: Path) -> None:
    """Remove the journal of a tree that is complete."""
    (root / _JOURNAL).unlink(missing_ok=True)


def read_geometry(root: Path) -> dict[str, Depicted]:
    """Return what the images of a complete tree show, by path.

    Raises `UserError` for a file that is missing or was changed.
    """
    path = root / GEOMETRY
    try:
        return {
            name: Depicted(**{**entry, "regions": [Region(**box) for box in entry["regions"]]})
            for name, entry in read_json(path, _MAX_BYTES).items()
        }
    except FileNotFoundError:
        raise UserError(f"{path}: is missing; delete {root} and run again") from None
    except (ValueError, TypeError, KeyError, AttributeError):
        raise UserError(f"{path}: was changed; delete {root} and run again") from None


def _is_written(root: Path, line: bytes) -> bool:
    """Return whether a line is whole and all the images that it names exist."""
    try:
        return all((root / path).is_file() for path in parse_json(line))
    except ValueError:
        return False
