"""JAX's work: the steps of `elbow_jax.train` and `elbow_jax.predict`, compiled as those do."""

import time
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.throughput.cases import LAYERS, Case
from benchmarks.throughput.measuring.work import Work, copy_bytes, matrix_side, random_batch
from elbow_jax import networks, runtime
from elbow_jax.models import ModelConfig
from elbow_jax.ops import depthwise_convolution
from elbow_jax.optimizer import WarmRestarts, sgd
from elbow_jax.steps import create_state, make_eval_step, make_train_step


def prepare(case: Case) -> Work:
    """Build and compile the work of a case.

    Raises:
        RuntimeError: the case needs more devices than there are.
    """
    runtime.set_up_process()
    if len(jax.devices()) < case.devices:
        raise RuntimeError(f"not run: needs {case.devices} devices, found {len(jax.devices())}")
    if case.work in ("matrix_product", "copy"):
        return _ceiling(case)
    if case.part == "depthwise":
        return _depthwise(case)
    return _network(case)


def peak_memory_mib() -> float | None:
    """Peak device memory of this process; None where the device has no memory of its own."""
    peaks = [(device.memory_stats() or {}).get("peak_bytes_in_use", 0) for device in jax.devices()]
    return max(peaks) / 2**20 or None


def _optimizer() -> Any:
    """The paper's pretraining optimiser, with a schedule longer than any measurement."""
    return sgd(WarmRestarts(1e-3, 5, 2, 10_000), momentum=0.6, weight_decay=1e-3)


def _network(case: Case) -> Work:
    mesh = runtime.make_mesh(case.batch)
    config = ModelConfig(backbone=case.name, variant=case.variant)  # type: ignore[arg-type]
    module = networks.build(config, "auto")
    dtype = networks.compute_dtype("auto")
    variables = networks.initialise(module, case.size, seed=0)
    batch = runtime.to_devices(random_batch(case), mesh)
    layout = runtime.replicated_sharding(mesh)
    if case.work == "train":
        optimizer = _optimizer()
        state: Any = jax.device_put(create_state(variables, optimizer, seed=0), layout)
        function = jax.jit(make_train_step(module.apply, optimizer, dtype), donate_argnums=0)
    else:
        state = jax.device_put(variables, layout)
        function = jax.jit(make_eval_step(module.apply, dtype))
    compiled, metrics = _compile(function, state, batch)
    del variables
    latest: dict[str, Any] = {"state": state, "result": None}
    del state

    def train(batch: dict[str, jax.Array]) -> None:
        latest["state"], latest["result"] = compiled(latest["state"], batch)

    def infer(batch: dict[str, jax.Array]) -> None:
        latest["result"] = compiled(latest["state"], batch)

    feed = train if case.work == "train" else infer
    return Work(lambda: feed(batch), lambda: jax.block_until_ready(latest), metrics, feed)


def _depthwise(case: Case) -> Work:
    layer = LAYERS[case.name]
    side = case.size // layer.reduction
    dtype = networks.compute_dtype("auto")
    generator = np.random.default_rng(0)
    x = generator.standard_normal((case.batch, side, side, layer.channels), np.float32)
    kernel = generator.standard_normal((layer.kernel, layer.kernel, 1, layer.channels), np.float32)

    def forward(x: jax.Array, kernel: jax.Array) -> jax.Array:
        return depthwise_convolution(x, kernel, layer.stride)

    def gradient(x: jax.Array, kernel: jax.Array, cotangent: jax.Array) -> Any:
        return jax.vjp(forward, x, kernel)[1](cotangent)

    arguments = [jnp.asarray(x, dtype), jnp.asarray(kernel, dtype)]
    function = forward
    if case.work == "gradient":
        shape = jax.eval_shape(forward, *arguments).shape
        arguments.append(jnp.asarray(generator.standard_normal(shape, np.float32), dtype))
        function = gradient
    return _repeated(jax.jit(function), arguments)


def _ceiling(case: Case) -> Work:
    if case.work == "copy":
        count = copy_bytes(jax.default_backend() != "cpu") // 4
        x = jax.random.uniform(jax.random.key(0), (count,), jnp.float32)
        return _repeated(jax.jit(lambda x: x + 1.0), [x])
    side = matrix_side(jax.default_backend() != "cpu")
    # Random numbers: a GPU multiplies equal ones faster, with less power.
    matrix = jax.random.normal(jax.random.key(0), (side, side), networks.compute_dtype("auto"))
    return _repeated(jax.jit(jnp.matmul), [matrix, matrix])


def _repeated(function: Any, arguments: list[Any]) -> Work:
    """The same call again and again."""
    compiled, metrics = _compile(function, *arguments)
    latest: dict[str, Any] = {"result": None}

    def step() -> None:
        latest["result"] = compiled(*arguments)

    return Work(step, lambda: jax.block_until_ready(latest), metrics)


def _compile(function: Any, *arguments: Any) -> tuple[Any, dict[str, Any]]:
    """Trace and compile a function; time both, and note whether the compilation cache had it."""
    hits: list[str] = []

    def note(event: str, **_: Any) -> None:
        if event == "/jax/compilation_cache/cache_hits":
            hits.append(event)

    jax.monitoring.register_event_listener(note)
    started = time.perf_counter()
    lowered = function.lower(*arguments)
    traced = time.perf_counter()
    hits.clear()
    compiled = runtime.run_in_thread(lowered.compile)
    metrics = {
        "trace_s": traced - started,
        "compile_s": time.perf_counter() - traced,
        "from_cache": bool(hits),
    }
    return compiled, metrics
