"""The first pass over the files of a data set: digest each file and check its header."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from elbow_core.dataset import ManifestRow
from elbow_core.errors import RadiographError
from elbow_core.prepare.rejections import reason_of
from elbow_core.prepare.resumable_folder import write_json
from elbow_core.progress import track
from elbow_core.radiographs import check_radiograph, read_bytes
from elbow_core.sources import Rejection
from elbow_core.worker_pool import WorkerPool

_DIGESTS = "digests.json"


def digest_images(
    pool: WorkerPool, root: Path, rows: Sequence[ManifestRow], work: Path, strict: bool
) -> tuple[list[ManifestRow], list[Rejection]]:
    """Return the rows with the SHA-256 of their files, and the files rejected by their header.

    The result is stored in the folder ``work``; a resumed run reads it from there. If ``strict``,
    raises `RadiographError` for the first file that would be rejected.
    """
    stored = work / _DIGESTS
    if stored.is_file():
        outcomes = json.loads(stored.read_text(encoding="utf-8"))
    else:
        results = pool.map(
            partial(_digest_file, root, strict), [row.path for row in rows], batch=16
        )
        outcomes = list(track(results, len(rows), "read"))
        write_json(stored, outcomes)
    digested: list[ManifestRow] = []
    rejected: list[Rejection] = []
    for row, (digest, reason) in zip(rows, outcomes, strict=True):
        if reason:
            rejected.append(Rejection(row.path, reason))
        else:
            digested.append(replace(row, sha256=digest))
    return digested, rejected


def _digest_file(root: Path, strict: bool, path: str) -> tuple[str, str]:
    """Return a file's digest and "", or "" and the reason for its rejection."""
    file = root / path
    try:
        data = read_bytes(file)
        check_radiograph(data, str(file))
    except RadiographError as error:
        if strict:
            raise
        return "", reason_of(error, path)
    return hashlib.sha256(data).hexdigest(), ""
