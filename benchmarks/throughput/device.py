"""The machine that is measured: its device, cores and versions, asked in a process of its own."""

import importlib.metadata
import json
import os
import platform
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from elbow_jax.ops.cpu.cores import available_cores

ASK = """
import json, jax
device = jax.devices()[0]
print(json.dumps([device.platform, device.device_kind, len(jax.devices())]))
"""
PACKAGES = ("jax", "jaxlib", "flax", "torch", "timm")


def describe() -> dict[str, Any]:
    """Name the device that JAX takes by default, and the versions of what is measured."""
    asked = subprocess.run(
        [sys.executable, "-c", ASK], check=True, stdout=subprocess.PIPE, text=True
    )
    kind, name, count = json.loads(asked.stdout.splitlines()[-1])
    on_cpu = kind == "cpu"
    return {
        "device": "cpu" if on_cpu else "gpu",
        "name": f"{_processor()}, {available_cores()} cores" if on_cpu else f"{count} x {name}",
        "precision": "float32" if on_cpu else "bfloat16",
        "cores": available_cores(),
        "python": platform.python_version(),
        "versions": {name: version for name in PACKAGES if (version := _version(name))},
        "settings": {name: os.environ[name] for name in SETTINGS if name in os.environ},
    }


SETTINGS = ("XLA_FLAGS", "OMP_NUM_THREADS", "JAX_PLATFORMS")
"""What of the environment would change a figure; a fair run has none of it."""


def file_name(name: str) -> str:
    """A device's name as that of a file."""
    return re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None
