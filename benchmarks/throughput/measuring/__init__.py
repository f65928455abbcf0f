"""Measuring processes: `measure` runs one job in a process, `measure_interleaved` several in turns,
`measure_side_by_side` many of which one is timed at a time.

`worker` is such a process, `work` what both frameworks run in it, `jax_work`, `torch_work` and
`loading` how each does, `timing` its timers.
"""

from typing import TYPE_CHECKING

import lazy_loader

if TYPE_CHECKING:
    from benchmarks.throughput.measuring.processes import (
        measure,
        measure_interleaved,
        measure_side_by_side,
    )

__all__ = ["measure", "measure_interleaved", "measure_side_by_side"]

__getattr__, __dir__, _ = lazy_loader.attach(
    __name__, submod_attrs={"processes": ["measure", "measure_interleaved", "measure_side_by_side"]}
)
