"""Measure how long each network takes to compile, with equal blocks scanned and unrolled.

    python -m benchmarks.compile --out docs/performance/measurements

Each step compiles in its own process, with the compilation cache off. Two cores: 10 minutes.
"""

import argparse
import importlib.metadata
import json
import platform
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_args

from elbow_core.cli import run
from elbow_core.files import atomic_file, require_output_file
from elbow_jax.models import Backbone

ROOT = Path(__file__).parents[2]
NETWORKS = get_args(Backbone)
STEPS = ("forward", "train")
NAME = "compile_time"
COMMAND = "python -m benchmarks.compile --out docs/performance/measurements"


def document(record: dict[str, Any]) -> str:
    """The record as a page of Markdown."""
    lines = [
        "# Compile time",
        "",
        f"Full networks at {record['size']} pixels on {record['device']}, JAX {record['jax']}, "
        f"{record['cores']} cores, compilation cache off, by",
        "",
        f"    {COMMAND}",
        "",
        "*Scanned* is a `lax.scan` over a stage's equal blocks, the default on an accelerator;",
        "*unrolled* is the same network with its blocks written out, the default on a CPU.",
        "MobileNetV3's blocks differ too much to scan. *Compile* and *CPU* are XLA's wall and CPU",
        "time; the machine was shared, which affects CPU time less.",
        "",
        "| network | step | blocks | compile, s | CPU, s | trace, s | temporary memory, MiB |",
        "|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {row['network']} | {row['step']} | {row['blocks']} | {row['compile_s']:.1f} | "
        f"{row['compile_cpu_s']:.1f} | {row['trace_s']:.1f} | {row['temporary_mib']:,.0f} |"
        for row in record["rows"]
    ]
    return "\n".join(lines) + "\n"


def main(arguments: Sequence[str]) -> int:
    """Measure every network and write `compile_time.json` and its page."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.compile", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--out", type=Path, required=True, help="folder to write to")
    parser.add_argument("--size", type=int, default=384, help="pixels a side (default: 384)")
    parser.add_argument("--network", nargs="+", choices=NETWORKS, default=NETWORKS)
    parser.add_argument("--one", nargs=2, metavar=("STEP", "BLOCKS"), help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.one is not None:
        from benchmarks.compile.measurement import measure

        step, blocks = options.one
        print(json.dumps(measure(options.network[0], step, blocks == "scanned", options.size)))
        return 0
    pages = {suffix: options.out / f"{NAME}.{suffix}" for suffix in ("json", "md")}
    require_output_file(pages["json"], "--out", mark='{\n "command"', make_folder=True)
    require_output_file(pages["md"], "--out", mark="# Compile time\n")
    rows = []
    for network in options.network:
        for step in STEPS:
            for blocks in ("scanned", "unrolled"):
                if network == "mobilenetv3_large" and blocks == "scanned":
                    continue
                rows.append(_measure_in_process(network, step, blocks, options.size))
                print(json.dumps(rows[-1]), flush=True)
    from benchmarks.compile.measurement import available_cores, device_name

    record = {
        "command": COMMAND,
        "device": device_name(),
        "machine": platform.machine(),
        "cores": available_cores(),
        "jax": importlib.metadata.version("jax"),
        "size": options.size,
        "rows": rows,
    }
    for suffix, text in (("json", json.dumps(record, indent=1) + "\n"), ("md", document(record))):
        with atomic_file(pages[suffix]) as partial:
            partial.write_text(text)
    return 0


def _measure_in_process(network: str, step: str, blocks: str, size: int) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.compile", "--out", ".", "--one", step, blocks]
    done = subprocess.run(
        [*command, "--network", network, "--size", str(size)],
        check=True,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    return json.loads(done.stdout.splitlines()[-1])


if __name__ == "__main__":
    run(main)
