"""JAX's settings from the environment: those that are fixed, and those that a run records.

JAX reads each of its settings from a variable, ``JAX_...``. Some change the random numbers or the
types of a run without a trace in its configuration.
"""

import os
import sys
from typing import Any

import jax

# JAX's defaults; the random keys, types and promotions of a run are these in any environment.
FIXED: dict[str, Any] = {
    "jax_default_prng_impl": "threefry2x32",
    "jax_threefry_partitionable": True,
    "jax_random_seed_offset": 0,
    "jax_enable_custom_prng": False,
    "jax_legacy_prng_key": "allow",
    "jax_high_dynamic_range_gumbel": False,
    "jax_enable_x64": False,
    "jax_numpy_dtype_promotion": "standard",
    "jax_softmax_custom_jvp": False,
}

# JAX's defaults of settings that a user may choose and that change a run's numbers.
CHOSEN: dict[str, Any] = {
    "jax_default_matmul_precision": None,
    "jax_disable_jit": False,
    "jax_optimization_level": "UNKNOWN",
    "jax_exec_time_optimization_effort": 0.0,
}

# XLA's flags for a CPU: see `choose_xla_flags`.
XLA_FLAGS = {
    "--xla_cpu_experimental_ynn_fusion_type": "",
    "--xla_cpu_enable_concurrency_optimized_scheduler": "false",
    "--xla_cpu_prefer_vector_width": "512",
}

_ENVIRONMENT = ("XLA_FLAGS", "NVIDIA_TF32_OVERRIDE", "TF_CUDNN_DETERMINISTIC")
# XLA's flags that do not change a result.
_HARMLESS_FLAGS = ("--xla_force_host_platform_device_count", "--xla_dump_")


def fix_settings() -> None:
    """Set JAX's settings that no environment may change; name those that it had set.

    A setting that this release of JAX does not have is left out.
    """
    values = jax.config.values
    for name, fixed in FIXED.items():
        if name not in values or _plain(values[name]) == fixed:
            continue
        if name.upper() in os.environ:
            print(
                f"{name.upper()}={os.environ[name.upper()]} is not used: a run does not depend on "
                f"it ({_plain(values[name])} becomes {fixed})",
                file=sys.stderr,
            )
        jax.config.update(name, fixed)


def chosen_settings() -> dict[str, Any]:
    """Return JAX's settings that change a run's numbers and are not its defaults, by variable."""
    values = jax.config.values
    return {
        name.upper(): _plain(values[name])
        for name, default in CHOSEN.items()
        if name in values and _plain(values[name]) != default
    }


def numeric_environment() -> dict[str, str]:
    """Return the variables that may change a run's numbers through XLA and CUDA.

    Without the flags that this project adds to ``XLA_FLAGS``.
    """
    found = {name: os.environ[name] for name in _ENVIRONMENT if os.environ.get(name)}
    own = {f"{name}={value}" for name, value in XLA_FLAGS.items()}
    flags = {
        flag for flag in found.pop("XLA_FLAGS", "").split() if not flag.startswith(_HARMLESS_FLAGS)
    }
    if flags - own:
        found["XLA_FLAGS"] = " ".join(sorted(flags - own))
    return found


def _plain(value: Any) -> Any:
    """Return a setting as text, number or None: JAX holds some as enumerations."""
    return value.value if hasattr(value, "value") else value
