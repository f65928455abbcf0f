"""The modules of the throughput benchmark, where torch is installed."""

import importlib
from types import SimpleNamespace

import pytest

NAMES = ("cases", "page", "plots", "processes", "records", "summary", "torch_work", "work")


@pytest.fixture(scope="package")
def parts() -> SimpleNamespace:
    """The benchmark's modules by their names; skips where there is no torch."""
    pytest.importorskip("torch")
    modules = {name: importlib.import_module(f"benchmarks.throughput.{name}") for name in NAMES}
    return SimpleNamespace(**modules)
