"""JAX's side: the project's own steps, as `elbow_jax.train` and `elbow_jax.predict` run them."""

import time
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.throughput.cases import LAYERS, Case
from benchmarks.throughput.work import Work, copy_bytes, matrix_side, random_batch
from elbow_jax import networks
from elbow_jax.models import ModelConfig
from elbow_jax.ops import convolution as ops
from elbow_jax.optimizer import WarmRestarts, sgd
from elbow_jax.runtime import devices as parallel
from elbow_jax.runtime import startup
from elbow_jax.runtime.compilation import aside
from elbow_jax.steps import create_state, make_eval_step, make_train_step


def prepare(case: Case) -> Work:
    """Build and compile the work of a case."""
    startup.begin()
    if len(jax.devices()) < case.devices:
        raise RuntimeError(f"not run: {case.devices} devices asked for, {len(jax.devices())} here")
    if case.work in ("matrix_product", "copy"):
        return _ceiling(case)
    if case.part == "depthwise":
        return _depthwise(case)
    return _network(case)


def peak_memory_mib() -> float | None:
    """The most device memory in use since the process began; None where a device has none."""
    peaks = [(device.memory_stats() or {}).get("peak_bytes_in_use", 0) for device in jax.devices()]
    return max(peaks) / 2**20 or None


def _optimizer() -> Any:
    """The report's pretraining optimiser, on a schedule long enough for any measurement."""
    return sgd(WarmRestarts(1e-3, 5, 2, 10_000), momentum=0.6, weight_decay=1e-3)


def _network(case: Case) -> Work:
    mesh = parallel.make_mesh(case.batch)
    config = ModelConfig(backbone=case.name, variant=case.variant)  # type: ignore[arg-type]
    module = networks.build(config, "auto")
    dtype = networks.compute_dtype("auto")
    variables = networks.initialise(module, case.size, seed=0)
    batch = parallel.to_devices(random_batch(case), mesh)
    place = parallel.replicated(mesh)
    if case.work == "train":
        descend = _optimizer()
        state: Any = jax.device_put(create_state(variables, descend, seed=0), place)
        function = jax.jit(make_train_step(module.apply, descend, dtype), donate_argnums=0)
    else:
        state = jax.device_put(variables, place)
        function = jax.jit(make_eval_step(module.apply, dtype))
    compiled, figures = _compile(function, state, batch)
    del variables
    held: dict[str, Any] = {"state": state, "result": None}
    del state

    def train(batch: dict[str, jax.Array]) -> None:
        held["state"], held["result"] = compiled(held["state"], batch)

    def infer(batch: dict[str, jax.Array]) -> None:
        held["result"] = compiled(held["state"], batch)

    feed = train if case.work == "train" else infer
    return Work(lambda: feed(batch), lambda: jax.block_until_ready(held), figures, feed)


def _depthwise(case: Case) -> Work:
    layer = LAYERS[case.name]
    side = case.size // layer.reduction
    dtype = networks.compute_dtype("auto")
    generator = np.random.default_rng(0)
    x = generator.standard_normal((case.batch, side, side, layer.channels), np.float32)
    kernel = generator.standard_normal((layer.kernel, layer.kernel, 1, layer.channels), np.float32)

    def forward(x: jax.Array, kernel: jax.Array) -> jax.Array:
        return ops.depthwise_convolution(x, kernel, layer.stride)

    def gradient(x: jax.Array, kernel: jax.Array, cotangent: jax.Array) -> Any:
        return jax.vjp(forward, x, kernel)[1](cotangent)

    given = [jnp.asarray(x, dtype), jnp.asarray(kernel, dtype)]
    function = forward
    if case.work == "gradient":
        shape = jax.eval_shape(forward, *given).shape
        given.append(jnp.asarray(generator.standard_normal(shape, np.float32), dtype))
        function = gradient
    return _repeated(jax.jit(function), given)


def _ceiling(case: Case) -> Work:
    if case.work == "copy":
        x = jnp.zeros(copy_bytes(jax.default_backend() != "cpu") // 4, jnp.float32)
        return _repeated(jax.jit(lambda x: x + 1.0), [x])
    side = matrix_side(jax.default_backend() != "cpu")
    matrix = jnp.full((side, side), 0.5, networks.compute_dtype("auto"))
    return _repeated(jax.jit(jnp.matmul), [matrix, matrix])


def _repeated(function: Any, given: list[Any]) -> Work:
    compiled, figures = _compile(function, *given)
    held: dict[str, Any] = {"result": None}

    def step() -> None:
        held["result"] = compiled(*given)

    return Work(step, lambda: jax.block_until_ready(held), figures)


def _compile(function: Any, *given: Any) -> tuple[Any, dict[str, Any]]:
    """Trace and compile apart, and note whether the program came from the compilation cache."""
    hits: list[str] = []

    def note(event: str, **_: Any) -> None:
        if event == "/jax/compilation_cache/cache_hits":
            hits.append(event)

    jax.monitoring.register_event_listener(note)
    began = time.perf_counter()
    lowered = function.lower(*given)
    traced = time.perf_counter()
    hits.clear()
    compiled = aside(lowered.compile)
    figures = {
        "trace_s": traced - began,
        "compile_s": time.perf_counter() - traced,
        "from_cache": bool(hits),
    }
    return compiled, figures
