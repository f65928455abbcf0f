"""Interrupt `prepare` at a chosen place, and see what the next run has left to do."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from elbow_core.prepare import DataConfig, prepare


def finished_files(config: DataConfig) -> list[Path]:
    """Return the records of the finished segments of an interrupted prepare."""
    return sorted(config.out.with_name(".out.partial").glob("work/segment-*.json"))


def interrupt(config: DataConfig, monkeypatch, after: int) -> None:
    """Interrupt prepare, as Ctrl-C does, after this number of decoded images."""
    from elbow_core.prepare import archive_pass

    decode, decoded = archive_pass.decode_radiograph, 0

    def decode_or_stop(data: bytes, name: str) -> np.ndarray:
        nonlocal decoded
        decoded += 1
        if decoded > after:
            raise KeyboardInterrupt
        return decode(data, name)

    with monkeypatch.context() as patch:
        patch.setattr(archive_pass, "decode_radiograph", decode_or_stop)
        with pytest.raises(KeyboardInterrupt):
            prepare(config)


def interrupt_at_the_end(config: DataConfig, monkeypatch) -> None:
    """Interrupt prepare, as Ctrl-C does, after its last segment."""
    from elbow_core.prepare import pipeline

    def stop(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(pipeline, "write_manifest", stop)
        with pytest.raises(KeyboardInterrupt):
            prepare(config)


def count_decoded(config: DataConfig, monkeypatch) -> int:
    """Run prepare; return the number of images that it decoded."""
    from elbow_core.prepare import archive_pass

    decode, decoded = archive_pass.decode_radiograph, []

    def decode_and_count(data: bytes, name: str) -> np.ndarray:
        decoded.append(name)
        return decode(data, name)

    with monkeypatch.context() as patch:
        patch.setattr(archive_pass, "decode_radiograph", decode_and_count)
        prepare(config)
    return len(decoded)
