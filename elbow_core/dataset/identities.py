"""Pseudonyms: ids replaced by keyed hashes."""

import hashlib
import hmac
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Literal

from elbow_core.dataset.manifest import ManifestRow
from elbow_core.errors import ConfigError
from elbow_core.identity import normalise_id, normalise_image_id
from elbow_core.radiographs import IMAGE_SUFFIXES

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


def hash_id(key: bytes, kind: Literal["image", "patient", "study"], plain: str) -> str:
    """Return the 128-bit keyed hash of an id, 32 hexadecimal digits.

    Ids are hashed in the form in which they are compared (`elbow_core.identity`), since two
    spellings of one id could not be recognised afterwards.

    Reference: HMAC, RFC 2104, with SHA-256.
    """
    normal = normalise_image_id(plain) if kind == "image" else normalise_id(plain)
    return _keyed(key, kind, normal)[:_DIGITS]


def hash_path(key: bytes, path: str) -> str:
    """Return a name that stands for a path: 32 hexadecimal digits and the suffix of an image.

    A name may be that of a patient, or the UID of a study. Any other suffix is left out, since the
    end of a UID looks like one.
    """
    suffix = PurePosixPath(path).suffix.lower()
    hidden = _keyed(key, "path", normalise_image_id(path))[:_DIGITS]
    return f"{hidden}{suffix if suffix in IMAGE_SUFFIXES else ''}"


def hash_ids(rows: Iterable[ManifestRow], key: bytes) -> list[ManifestRow]:
    """Return the rows with keyed hashes for the ids of image, patient and study (`hash_id`).

    The same id and key give the same hash in every data set, so that leakage between sets is still
    detected. Without the key, names cannot be recovered by trial. ``path`` is kept, since it leads
    to the file; `prepare` writes `hash_path` of it.
    """
    return [
        replace(
            row,
            image_id=hash_id(key, "image", row.image_id),
            patient_id=hash_id(key, "patient", row.patient_id),
            study_id=hash_id(key, "study", row.study_id),
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
    # A name on disk need not be UTF-8.
    content = f"{kind}\0{plain}".encode("utf-8", "surrogatepass")
    return hmac.new(key, content, hashlib.sha256).hexdigest()
