"""The process that runs JAX: start-up, devices, compilation, and stopping on a signal.

A command calls `set_up_process`, `join_processes` where it may run on several hosts, and
`open_devices`, before its first array. The device functions place arrays on the mesh and
synchronise processes.
"""

from typing import TYPE_CHECKING

import lazy_loader

if TYPE_CHECKING:
    from elbow_jax.runtime.compilation import compile_in_thread, run_in_thread
    from elbow_jax.runtime.devices import (
        any_process,
        batch_sharding,
        is_main,
        join_processes,
        make_mesh,
        open_devices,
        process,
        replicated_sharding,
        to_devices,
        wait_for_all,
    )
    from elbow_jax.runtime.interruption import INTERRUPTED_STATUS, Interruption
    from elbow_jax.runtime.settings import chosen_settings, fix_settings, numeric_environment
    from elbow_jax.runtime.startup import choose_xla_flags, keep_freed_memory, set_up_process

__all__ = [
    "INTERRUPTED_STATUS",
    "Interruption",
    "any_process",
    "batch_sharding",
    "choose_xla_flags",
    "chosen_settings",
    "compile_in_thread",
    "fix_settings",
    "is_main",
    "join_processes",
    "keep_freed_memory",
    "make_mesh",
    "numeric_environment",
    "open_devices",
    "process",
    "replicated_sharding",
    "run_in_thread",
    "set_up_process",
    "to_devices",
    "wait_for_all",
]

__getattr__, __dir__, _ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "compilation": ["compile_in_thread", "run_in_thread"],
        "devices": [
            "any_process",
            "batch_sharding",
            "is_main",
            "join_processes",
            "make_mesh",
            "open_devices",
            "process",
            "replicated_sharding",
            "to_devices",
            "wait_for_all",
        ],
        "interruption": ["INTERRUPTED_STATUS", "Interruption"],
        "settings": ["chosen_settings", "fix_settings", "numeric_environment"],
        "startup": ["choose_xla_flags", "keep_freed_memory", "set_up_process"],
    },
)
