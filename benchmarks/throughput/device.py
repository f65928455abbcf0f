"""The device under test: name, cores, package versions and relevant environment variables."""

import importlib.metadata
import json
import os
import platform
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

# Runs in its own process, so that this one never initialises JAX or holds a GPU's memory.
DEVICE_QUERY = """
import json, jax
device = jax.devices()[0]
print(json.dumps([device.platform, device.device_kind, len(jax.devices())]))
"""
PACKAGES = ("jax", "jaxlib", "flax", "torch", "timm")
SETTINGS = ("XLA_FLAGS", "OMP_NUM_THREADS", "JAX_PLATFORMS")
"""Environment variables that change a measurement; a fair run sets none of them."""


def describe() -> dict[str, Any]:
    """Return JAX's default device and the versions of the packages under test."""
    from elbow_jax.ops.cpu import available_cores  # imports JAX, which --help does without

    cores = available_cores()
    query = subprocess.run(
        [sys.executable, "-c", DEVICE_QUERY], check=True, stdout=subprocess.PIPE, text=True
    )
    kind, name, count = json.loads(query.stdout.splitlines()[-1])
    on_cpu = kind == "cpu"
    return {
        "device": "cpu" if on_cpu else "gpu",
        "name": f"{_processor()}, {cores} cores" if on_cpu else f"{count} x {name}",
        "precision": "float32" if on_cpu else "bfloat16",
        "cores": cores,
        "python": platform.python_version(),
        "versions": {name: version for name in PACKAGES if (version := _version(name))},
        "settings": {name: os.environ[name] for name in SETTINGS if name in os.environ},
    }


def file_name(name: str) -> str:
    """Turn a device's name into a file name."""
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
