"""Rows of a throughput record, as a device's measurements would give them."""

from typing import Any

from benchmarks.throughput.cases import Case

MACHINE = {
    "device": "cpu",
    "name": "A CPU, 2 cores",
    "precision": "float32",
    "cores": 2,
    "python": "3.11",
    "versions": {"jax": "1"},
    "settings": {},
}


def row(
    framework: str, mode: str, number: int, seconds: list[float], **fields: Any
) -> dict[str, Any]:
    """A row of ConvNeXt-Tiny's training step; `fields` replace or add columns."""
    case = Case("train", "convnext_tiny", "train", 384, 4)
    return {
        **vars(case),
        "framework": framework,
        "mode": mode,
        "round": number,
        "source": "",
        "load": 1.0,
        "seconds": seconds,
        "cpu_seconds": [2 * second for second in seconds],
        "peak_mib": 100.0,
        "trace_s": 1.0,
        "compile_s": 2.0,
        "from_cache": False,
        **fields,
    }


def two_rounds() -> list[dict[str, Any]]:
    """JAX and three modes of PyTorch, of which `compile` is the fastest and one cannot run."""
    return [
        row("jax", "jit", 0, [1.0, 2.0, 9.0], multiply_adds=10**9),
        row("jax", "jit", 1, [1.0, 1.0, 1.0], multiply_adds=10**9),
        row("torch", "eager", 0, [3.0, 3.0, 3.0]),
        row("torch", "eager", 1, [8.0, 8.0, 8.0]),
        row("torch", "compile", 0, [4.0, 4.0, 4.0]),
        row("torch", "compile", 1, [4.0, 4.0, 4.0]),
        row("torch", "eager_channels_last", 0, [], note="out of memory"),
    ]


def record(rows: list[dict[str, Any]], **header: Any) -> dict[str, Any]:
    """A record of `rows` on `MACHINE`; `header` replaces fields of it."""
    return {"benchmark": "throughput", "quick": False, **MACHINE, **header, "rows": rows}
