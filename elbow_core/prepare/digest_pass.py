"""The first pass over the files of a data set: digest each file and check its header."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from elbow_core.dataset import ManifestRow
from elbow_core.errors import RadiographError
from elbow_core.prepare.rejections import reason_of
from elbow_core.processes import WorkerPool
from elbow_core.progress import track
from elbow_core.radiographs import check_radiograph, read_bytes


@dataclass(frozen=True, slots=True)
class DigestedFile:
    """The content of a file, and whether its header is that of a radiograph."""

    sha256: str
    """Empty for a file that was not read whole, such as an empty one."""
    reason: str
    """Why the file is rejected; empty for one that is not."""


def digest_images(
    pool: WorkerPool, root: Path, rows: Sequence[ManifestRow], strict: bool
) -> list[DigestedFile]:
    """Return the SHA-256 of each row's file, and what its header shows.

    Every run reads all files: length and time of a file do not tell that it was replaced. If
    ``strict``, raises `RadiographError` for the first file that is rejected. Raises `MachineError`
    for one that cannot be read.
    """
    digest = partial(_digest_file, root, strict)
    results = pool.map(digest, [row.path for row in rows], batch=16)
    return list(track(results, len(rows), "read"))


def _digest_file(root: Path, strict: bool, path: str) -> DigestedFile:
    file = root / path
    sha256 = ""
    try:
        data = read_bytes(file)
        sha256 = hashlib.sha256(data).hexdigest()
        check_radiograph(data, str(file))
    except RadiographError as error:
        if strict:
            raise
        return DigestedFile(sha256, reason_of(error, path))
    return DigestedFile(sha256, "")
