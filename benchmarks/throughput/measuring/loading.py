"""End to end: training steps on batches that the project's loader reads from an archive."""

import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks.throughput.cases import Case
from benchmarks.throughput.measuring import jax_work
from benchmarks.throughput.measuring.timing import MIN_STEPS
from elbow_core.dataset import open_prepared
from elbow_core.radiographs import Augmentation
from elbow_jax.data import training_batches
from elbow_jax.runtime import make_mesh, to_devices

PATIENTS = 60  # some 120 radiographs
FIELDS = ("image", "label", "weight")  # inputs of a step; batches also hold positions
ROOT = Path(__file__).parents[3]
CONFIG = ROOT / "configs" / "demo" / "elbow_data.yaml"


def prepare_archive(case: Case, directory: Path) -> Path:
    """Render synthetic radiographs and prepare them at the case's size, unless that is done."""
    prepared = directory / f"prepared_{case.size}"
    if not prepared.is_dir():
        command = ["elbow_core.prepare", "--config", CONFIG, "--root", directory / "synthetic"]
        fields = ["--out", prepared, "--preprocess.size", case.size, "--source.patients", PATIENTS]
        subprocess.run(
            [sys.executable, "-m", *map(str, command + fields)],
            check=True,
            stdout=subprocess.DEVNULL,
        )
    return prepared


def measure(case: Case, directory: Path, seconds: float) -> dict[str, Any]:
    """Time training steps with loading (`seconds`) and on a resident batch (`resident_seconds`).

    The two alternate, so that a change in the machine's speed affects both.
    """
    work = jax_work.prepare(case)
    data = open_prepared(prepare_archive(case, directory))
    batches = training_batches(
        data, batch_size=case.batch, seed=0, copies=2, augmentation=Augmentation()
    )
    mesh, feed = make_mesh(case.batch), work.feed
    assert feed is not None

    def resident() -> None:
        work.step()

    def loaded() -> None:
        batch = next(batches)
        feed(to_devices({name: batch[name] for name in FIELDS}, mesh))

    times: dict[str, list[float]] = {"resident": [], "loaded": []}
    for step in (resident, loaded):
        step()
    work.wait()
    started = time.perf_counter()
    while len(times["loaded"]) < MIN_STEPS or time.perf_counter() - started < seconds:
        for step in (resident, loaded):
            block_started = time.perf_counter()
            for _ in range(MIN_STEPS):  # without synchronising between them, as in training
                step()
            work.wait()
            times[step.__name__].append((time.perf_counter() - block_started) / MIN_STEPS)
    return work.metrics | {
        "seconds": times["loaded"],
        "resident_seconds": times["resident"],
    }
