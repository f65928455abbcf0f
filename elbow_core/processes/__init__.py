"""Processes and their signals: what stops a command, and workers that leave signals to it."""

from typing import TYPE_CHECKING

import lazy_loader

if TYPE_CHECKING:
    from elbow_core.processes.interruption import (
        CTRL_C_LINE,
        CTRL_C_STATUS,
        INTERRUPTED_STATUS,
        Interrupted,
        Interruption,
        exit_on_ctrl_c,
        raising_on_signals,
    )
    from elbow_core.processes.read_ahead import ReadAhead
    from elbow_core.processes.worker_pool import WorkerPool
    from elbow_core.processes.worker_processes import follow_parent, shielded_start

__all__ = [
    "CTRL_C_LINE",
    "CTRL_C_STATUS",
    "INTERRUPTED_STATUS",
    "Interrupted",
    "Interruption",
    "ReadAhead",
    "WorkerPool",
    "exit_on_ctrl_c",
    "follow_parent",
    "raising_on_signals",
    "shielded_start",
]

__getattr__, __dir__, _ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "interruption": [
            "CTRL_C_LINE",
            "CTRL_C_STATUS",
            "INTERRUPTED_STATUS",
            "Interrupted",
            "Interruption",
            "exit_on_ctrl_c",
            "raising_on_signals",
        ],
        "read_ahead": ["ReadAhead"],
        "worker_pool": ["WorkerPool"],
        "worker_processes": ["follow_parent", "shielded_start"],
    },
)
