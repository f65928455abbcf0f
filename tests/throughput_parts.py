"""The modules of the throughput benchmark, which lie among the scripts."""

import importlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest

ROOT = Path(__file__).parent.parent
NAMES = ("cases", "page", "plots", "processes", "records", "summary", "torch_work", "work")


@contextmanager
def throughput_parts() -> Iterator[SimpleNamespace]:
    """The modules by their names; skips where there is no torch."""
    pytest.importorskip("torch")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(os.fspath(ROOT / "scripts"))
        yield SimpleNamespace(**{n: importlib.import_module(f"throughput.{n}") for n in NAMES})
