"""A report's folder: made aside and put in place whole; no other folder is touched."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from elbow_core.errors import PredictionsError

MARK = "metrics.json"


def refuse_foreign_folder(out: Path) -> None:
    """Raise `PredictionsError` unless ``out`` is absent, empty or an earlier report."""
    if out.is_dir() and any(out.iterdir()) and not (out / MARK).is_file():
        raise PredictionsError(f"{out}: holds other files; name a folder that is new or empty")
    if out.exists() and not out.is_dir():
        raise PredictionsError(f"{out}: is a file; name a folder")


@contextmanager
def replacing_folder(out: Path) -> Iterator[Path]:
    """Give an empty folder beside ``out``, which takes its place when the block succeeds.

    After an exception ``out`` is as it was. Raises `PredictionsError` where it cannot be written.
    """
    aside = out.with_name(f".{out.name}.{os.getpid()}.partial")
    old = out.with_name(f".{out.name}.{os.getpid()}.old")
    try:
        try:
            aside.mkdir(parents=True)
        except OSError as error:
            raise PredictionsError(f"{out}: cannot be made: {error.strerror}") from None
        yield aside
        if out.exists():
            out.rename(old)
        aside.rename(out)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
        if old.exists() and not out.exists():
            old.rename(out)
        shutil.rmtree(old, ignore_errors=True)
