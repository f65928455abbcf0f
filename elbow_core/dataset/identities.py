"""Pseudonyms: ids replaced by keyed hashes."""

import hashlib
import hmac
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from elbow_core.dataset.manifest import ManifestRow
from elbow_core.errors import ConfigError
from elbow_core.identity import normalise_id, normalise_image_id

_MIN_KEY_BYTES = 16
_DIGITS = 32


def read_key(path: Path) -> bytes:
    """Return the bytes of a key file; raises `ConfigError` for fewer than 16."""
    try:
        key = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"id_key: {path} cannot be read: {error.strerror}") from error
    if len(key) < _MIN_KEY_BYTES:
        raise ConfigError(
            f"id_key: {path} has {len(key)} bytes, fewer than {_MIN_KEY_BYTES}; "
            f"create one with: head -c 32 /dev/urandom > {path}"
        )
    return key


def hash_ids(rows: Iterable[ManifestRow], key: bytes) -> list[ManifestRow]:
    """Return the rows with 128-bit keyed hashes for the ids of image, patient and study.

    The same id and key give the same hash in every data set, so that leakage between sets is still
    detected; ids are hashed in the form in which they are compared (`elbow_core.identity`), since
    two spellings of one id could not be recognised afterwards. Without the key, names cannot be
    recovered by trial. ``path`` is kept, since it leads back to the file; no later step writes it.

    Reference: HMAC, RFC 2104, with SHA-256.
    """

    def hashed(kind: str, plain: str) -> str:
        return _keyed(key, kind, plain)[:_DIGITS]

    return [
        replace(
            row,
            image_id=hashed("image", normalise_image_id(row.image_id)),
            patient_id=hashed("patient", normalise_id(row.patient_id)),
            study_id=hashed("study", normalise_id(row.study_id)),
        )
        for row in rows
    ]


def hash_digests(rows: Iterable[ManifestRow], key: bytes) -> list[str]:
    """Return a keyed hash of each file's digest, 64 hexadecimal digits.

    It identifies a file among data with the same key; without the key nobody who has the file can
    tell. Reference: as `hash_ids`.
    """
    return [_keyed(key, "file", row.sha256) for row in rows]


def fingerprint_of_key(key: bytes) -> str:
    """Return 64 hexadecimal digits that tell keys apart and say nothing about them."""
    return _keyed(key, "key", "")


def _keyed(key: bytes, kind: str, plain: str) -> str:
    return hmac.new(key, f"{kind}\0{plain}".encode(), hashlib.sha256).hexdigest()
