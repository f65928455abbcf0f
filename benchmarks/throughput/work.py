"""What both frameworks are given: the same batches and sizes, in the same form of work."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from benchmarks.throughput.cases import Case


@dataclass
class Work:
    """A step ready to run, how to wait for it, what it took to make.

    `step` runs on a batch that stays on the device, `feed` on one that is given.
    """

    step: Callable[[], Any]
    wait: Callable[[], Any]
    figures: dict[str, Any] = field(default_factory=dict)
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
    """Rows and columns of the matrices whose product is taken as a device's ceiling."""
    return 8192 if accelerated else 2048


def copy_bytes(accelerated: bool) -> int:
    """Bytes read, and as many written, in the copy that is taken as a device's ceiling."""
    return 2**30 if accelerated else 2**28


def ceiling_work(work: str, accelerated: bool) -> int:
    """Floating-point operations of the product, or bytes read and written by the copy."""
    return (
        2 * matrix_side(accelerated) ** 3
        if work == "matrix_product"
        else 2 * copy_bytes(accelerated)
    )
