"""Measure how long each network takes to compile, with equal blocks scanned and unrolled.

    python -m benchmarks.compile --out docs/benchmarks

Each figure is from a process of its own with the compilation cache off. Two cores: 10 minutes.
"""

import argparse
import json
import platform
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_args

import jax
import jax.numpy as jnp

from elbow_core.cli import run
from elbow_core.errors import UserError
from elbow_core.files import atomic_file
from elbow_jax.models import ModelConfig, build_model
from elbow_jax.models.config import Backbone
from elbow_jax.networks import compute_dtype
from elbow_jax.ops.cpu.cores import available_cores
from elbow_jax.optimizer import WarmRestarts, sgd
from elbow_jax.steps import create_state, make_eval_step, make_train_step

NETWORKS = get_args(Backbone)
STEPS = ("forward", "train")
BATCH = 2  # programs hold shapes, not loops over images: a larger batch compiles no longer
NAME = "compile_time"
COMMAND = "python -m benchmarks.compile --out docs/benchmarks"


def measure(backbone: Backbone, step: str, unroll: bool, size: int) -> dict[str, Any]:
    """Seconds of wall and processor to trace and to compile one step of a full network."""
    jax.config.update("jax_enable_compilation_cache", False)
    dtype = compute_dtype("auto")
    module = build_model(ModelConfig(backbone=backbone), dtype, unroll)
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
        work = jax.jit(make_train_step(module.apply, optimizer, dtype), donate_argnums=0)
    else:
        state, work = variables, jax.jit(make_eval_step(module.apply, dtype))
    began = time.perf_counter()
    lowered = work.lower(state, batch)
    traced, used = time.perf_counter(), time.process_time()
    memory = lowered.compile().memory_analysis()
    compile_s, compile_cpu_s = time.perf_counter() - traced, time.process_time() - used
    if memory is None:
        raise UserError(f"{jax.default_backend()}: this backend does not tell its memory")
    return {
        "network": backbone,
        "step": step,
        "blocks": "unrolled" if unroll else "scanned",
        "trace_s": traced - began,
        "compile_s": compile_s,
        "compile_cpu_s": compile_cpu_s,
        "temporary_mib": memory.temp_size_in_bytes / 2**20,
    }


def table(record: dict[str, Any]) -> str:
    """The record as a page of Markdown."""
    lines = [
        "# Compile time",
        "",
        f"Of the full networks at {record['size']} pixels on {record['device']}, JAX "
        f"{record['jax']}, {record['cores']} cores, the compilation cache off, by",
        "",
        f"    {record['command']}",
        "",
        "A `lax.scan` over a stage's equal blocks (*scanned*, as on an accelerator) stands",
        "beside the same network with its blocks written out (*unrolled*, as on a CPU).",
        "MobileNetV3's blocks differ too much to scan. *Compile* and *processor* are XLA's alone,",
        "by wall and by processor; where a machine is shared, as this one was, the latter is the",
        "steadier.",
        "",
        "| network | step | blocks | compile, s | processor, s | trace, s | temporary, MiB |",
        "|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {row['network']} | {row['step']} | {row['blocks']} | {row['compile_s']:.1f} | "
        f"{row['compile_cpu_s']:.1f} | {row['trace_s']:.1f} | {row['temporary_mib']:,.0f} |"
        for row in record["rows"]
    ]
    return "\n".join(lines) + "\n"


def main(arguments: Sequence[str]) -> int:
    """Measure every network in turn and write `compile_time_<device>.json` and its table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.compile")
    parser.add_argument("--out", type=Path, required=True, help="directory of the results")
    parser.add_argument("--size", type=int, default=384, help="pixels a side (default: 384)")
    parser.add_argument("--network", nargs="+", choices=NETWORKS, default=NETWORKS)
    parser.add_argument("--one", nargs=2, metavar=("STEP", "BLOCKS"), help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.one is not None:
        step, blocks = options.one
        print(json.dumps(measure(options.network[0], step, blocks == "unrolled", options.size)))
        return 0
    rows = []
    for network in options.network:
        for step in STEPS:
            for blocks in ("scanned", "unrolled"):
                if network == "mobilenetv3_large" and blocks == "scanned":
                    continue
                rows.append(_in_its_own_process(network, step, blocks, options.size))
                print(json.dumps(rows[-1]), flush=True)
    device = jax.devices()[0].device_kind
    record = {
        "command": COMMAND,
        "device": device if jax.default_backend() != "cpu" else "a CPU",
        "machine": platform.machine(),
        "cores": available_cores(),
        "jax": jax.__version__,
        "size": options.size,
        "rows": rows,
    }
    options.out.mkdir(parents=True, exist_ok=True)
    for suffix, text in (("json", json.dumps(record, indent=1) + "\n"), ("md", table(record))):
        with atomic_file(options.out / f"{NAME}.{suffix}") as partial:
            partial.write_text(text)
    return 0


def _in_its_own_process(network: str, step: str, blocks: str, size: int) -> dict[str, Any]:
    command = [sys.executable, __file__, "--out", ".", "--network", network, "--size", str(size)]
    done = subprocess.run(
        [*command, "--one", step, blocks], check=True, stdout=subprocess.PIPE, text=True
    )
    return json.loads(done.stdout.splitlines()[-1])


if __name__ == "__main__":
    run(main)
