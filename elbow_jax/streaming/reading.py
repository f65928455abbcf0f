"""One file as a worker process reads it: its digest, and its image or why there is none."""

import hashlib
from dataclasses import dataclass

import numpy as np
from jaxtyping import UInt8

from elbow_core.errors import RadiographError
from elbow_core.radiographs import (
    Preprocessing,
    decode_radiograph,
    memory_trouble,
    preprocess,
    read_bytes,
)


@dataclass(frozen=True, slots=True)
class ReadImage:
    """A file that was read."""

    digest: bytes
    """SHA-256 of its content; empty for a file that is rejected."""
    pixels: UInt8[np.ndarray, "size size"] | None
    """Preprocessed; None for a file that is rejected."""
    reason: str = ""
    """Why it is rejected; empty for one that is not."""


def read_image(settings: Preprocessing, path: str) -> ReadImage:
    """Read, decode and preprocess a file.

    Raises:
        MachineError: if it cannot be read or memory is short, which is no verdict on the file.
    """
    try:
        data = read_bytes(path)
        grey = decode_radiograph(data, path)
    except RadiographError as error:
        return ReadImage(b"", None, str(error).removeprefix(f"{path}: "))
    with memory_trouble(f"{path}: not enough memory to preprocess it"):
        pixels = preprocess(grey, **settings.model_dump())
    return ReadImage(hashlib.sha256(data).digest(), pixels)
