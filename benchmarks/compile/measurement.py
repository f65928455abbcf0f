"""Trace and compile one step of a network, in this process."""

import time
from typing import Any

import jax
import jax.numpy as jnp

from elbow_core.errors import UserError
from elbow_jax.models import Backbone, ModelConfig, build_model
from elbow_jax.networks import compute_dtype
from elbow_jax.ops.cpu import available_cores
from elbow_jax.optimizer import WarmRestarts, sgd
from elbow_jax.steps import create_state, make_eval_step, make_train_step

__all__ = ["available_cores", "device_name", "measure"]

BATCH = 2  # compile time does not depend on it: programs hold shapes, not loops over images


def measure(backbone: Backbone, step: str, scan_blocks: bool, size: int) -> dict[str, Any]:
    """Seconds of wall and CPU time to trace and compile one step of a full network.

    Raises:
        UserError: the backend does not report the memory of a compiled program.
    """
    jax.config.update("jax_enable_compilation_cache", False)
    dtype = compute_dtype("auto")
    module = build_model(ModelConfig(backbone=backbone), dtype, scan_blocks=scan_blocks)
    image = jax.ShapeDtypeStruct((BATCH, size, size, 1), jnp.float32)
    variables = jax.eval_shape(module.init, jax.random.key(0), image)
    batch = {
        "image": jax.ShapeDtypeStruct((BATCH, size, size, 1), jnp.uint8),
        "label": jax.ShapeDtypeStruct((BATCH,), jnp.int32),
        "weight": jax.ShapeDtypeStruct((BATCH,), jnp.float32),
    }
    if step == "train":
        optimizer = sgd(WarmRestarts(1e-3, 5, 2, 100), momentum=0.6, weight_decay=1e-3)
        state = jax.eval_shape(lambda tree: create_state(tree, optimizer, 0), variables)
        function = jax.jit(make_train_step(module.apply, optimizer, dtype), donate_argnums=0)
    else:
        state, function = variables, jax.jit(make_eval_step(module.apply, dtype))
    started = time.perf_counter()
    lowered = function.lower(state, batch)
    traced, cpu = time.perf_counter(), time.process_time()
    memory = lowered.compile().memory_analysis()
    compile_s, compile_cpu_s = time.perf_counter() - traced, time.process_time() - cpu
    if memory is None:
        raise UserError(f"{jax.default_backend()}: this backend does not report its memory")
    return {
        "network": backbone,
        "step": step,
        "blocks": "scanned" if scan_blocks else "unrolled",
        "trace_s": traced - started,
        "compile_s": compile_s,
        "compile_cpu_s": compile_cpu_s,
        "temporary_mib": memory.temp_size_in_bytes / 2**20,
    }


def device_name() -> str:
    """The default device, as the page names it."""
    return "a CPU" if jax.default_backend() == "cpu" else jax.devices()[0].device_kind
