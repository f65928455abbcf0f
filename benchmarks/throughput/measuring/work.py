"""Work that both frameworks run: the same batches and sizes behind one interface."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from benchmarks.throughput.cases import Case


@dataclass
class Work:
    """A compiled step, ready to time.

    Attributes:
        step: enqueues one step on a batch that stays on the device.
        wait: returns when the device has finished every step enqueued so far.
        metrics: of building it, such as seconds to compile.
        feed: enqueues one step on the batch that it is given; None where there is no such step.
    """

    step: Callable[[], Any]
    wait: Callable[[], Any]
    metrics: dict[str, Any] = field(default_factory=dict)
    feed: Callable[[Any], Any] | None = None


def random_batch(case: Case) -> dict[str, np.ndarray]:
    """A batch of noise, uint8 `[B, S, S, 1]`, with labels and weights."""
    generator = np.random.default_rng(0)
    return {
        "image": generator.integers(0, 256, (case.batch, case.size, case.size, 1), np.uint8),
        "label": generator.integers(0, 2, case.batch).astype(np.int32),
        "weight": np.ones(case.batch, np.float32),
    }


def matrix_side(accelerated: bool) -> int:
    """Rows and columns of the square matrices whose product gives the peak FLOP/s."""
    return 8192 if accelerated else 2048


def copy_bytes(accelerated: bool) -> int:
    """Bytes read, and as many written, by the copy that gives the peak bandwidth."""
    return 2**30 if accelerated else 2**28


def ceiling_work(work: str, accelerated: bool) -> int:
    """Floating-point operations of the matrix product, or bytes read and written by the copy."""
    return (
        2 * matrix_side(accelerated) ** 3
        if work == "matrix_product"
        else 2 * copy_bytes(accelerated)
    )
