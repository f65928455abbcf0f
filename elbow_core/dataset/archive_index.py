"""The index of an archive: image size, settings, segments, and the ids in order."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from elbow_core.dataset.archive_segments import Segment
from elbow_core.errors import ArchiveError
from elbow_core.files import atomic_file
from elbow_core.identity import normalise_image_id

INDEX_FILE = "index.json"

_FORMAT = 2
_KEYS = {"format", "size", "settings", "fingerprint", "segments", "ids"}


def write_index(
    directory: Path,
    ids: Sequence[str],
    segments: Sequence[Segment],
    settings: Mapping[str, Any],
    fingerprint: str,
) -> None:
    """Write the index of an archive; ``settings`` must contain the ``size``.

    ``fingerprint`` identifies the inputs that the archive was made from. Raises `ArchiveError` if
    an id is repeated, or if ids and images differ in number.
    """
    if sum(segment.count for segment in segments) != len(ids):
        raise ArchiveError(f"{directory}: needs as many images as ids")
    counts = Counter(map(normalise_image_id, ids))
    if repeated := [image_id for image_id in ids if counts[normalise_image_id(image_id)] > 1]:
        raise ArchiveError(f"{repeated[0]}: the id is repeated")
    index = {
        "format": _FORMAT,
        "size": settings["size"],
        "settings": dict(settings),
        "fingerprint": fingerprint,
        "segments": [asdict(segment) for segment in segments],
        "ids": list(ids),
    }
    with atomic_file(directory / INDEX_FILE) as partial:
        partial.write_text(json.dumps(index, indent=1) + "\n", encoding="utf-8")


def read_index(path: Path) -> dict[str, Any]:
    """Return a consistent index, its segments as `Segment`.

    Raises `ArchiveError` if the file is missing, unreadable, of another format or inconsistent.
    """
    try:
        index = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ArchiveError(f"{path}: is missing; run python -m elbow_core.prepare") from error
    except OSError as error:
        raise ArchiveError(f"{path}: cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise ArchiveError(f"{path}: is not JSON; prepare it again") from error
    if not isinstance(index, dict) or index.get("format") != _FORMAT or set(index) != _KEYS:
        raise ArchiveError(f"{path}: is not an index of format {_FORMAT}; prepare it again")
    try:
        segments = [Segment(**segment) for segment in index["segments"]]
        images = sum(segment.count for segment in segments)
        consistent = images == len(index["ids"]) and index["settings"].get("size") == index["size"]
    except (TypeError, AttributeError):
        consistent = False
    if not consistent:
        raise ArchiveError(f"{path}: is inconsistent; prepare it again")
    return index | {"segments": segments}
