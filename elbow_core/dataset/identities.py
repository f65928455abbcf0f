"""Ids that say nothing of whom they stand for, except to whoever holds the key."""

import hashlib
import hmac
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from elbow_core.dataset.manifest import ManifestRow
from elbow_core.errors import ConfigError

_LEAST_BYTES = 16
_DIGITS = 32


def read_key(path: Path) -> bytes:
    """Return the bytes of a key file; raises `ConfigError` for fewer than 16, which are guessed."""
    try:
        key = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"id_key: {path} cannot be read: {error.strerror}") from error
    if len(key) < _LEAST_BYTES:
        raise ConfigError(
            f"id_key: {path} holds {len(key)} bytes where {_LEAST_BYTES} are needed; "
            f"make one with: head -c 32 /dev/urandom > {path}"
        )
    return key


def hash_ids(rows: Iterable[ManifestRow], key: bytes) -> list[ManifestRow]:
    """Return the rows with 128-bit keyed hashes for the ids of image, patient and study.

    The same id and key give the same hash in every data set, so that leaks between sets are still
    seen; without the key nobody can try names until one fits. ``path`` stays: it leads back to the
    file, and no later step writes it anywhere.

    Reference: HMAC, RFC 2104, with SHA-256.
    """

    def hashed(kind: str, plain: str) -> str:
        return hmac.new(key, f"{kind}\0{plain}".encode(), hashlib.sha256).hexdigest()[:_DIGITS]

    return [
        replace(
            row,
            image_id=hashed("image", row.image_id),
            patient_id=hashed("patient", row.patient_id),
            study_id=hashed("study", row.study_id),
        )
        for row in rows
    ]
