"""End to end: an archive of radiographs, read through the project's loader, into training steps."""

import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks.throughput import jax_work
from benchmarks.throughput.cases import Case
from benchmarks.throughput.timing import LEAST_STEPS
from elbow_core.dataset.prepared import open_prepared
from elbow_core.radiographs.augmentation import Augmentation
from elbow_jax.data import training_batches
from elbow_jax.runtime import devices as parallel

PATIENTS = 60  # some 120 radiographs
FIELDS = ("image", "label", "weight")  # what a step reads; batches hold positions too
CONFIG = Path(__file__).parents[2] / "configs" / "demo" / "elbow_data.yaml"


def prepare(case: Case, directory: Path) -> Path:
    """Draw synthetic radiographs and prepare them at the case's size, once."""
    prepared = directory / f"prepared_{case.size}"
    if not prepared.is_dir():
        command = ["elbow_core.prepare", "--config", CONFIG, "--root", directory / "drawn"]
        fields = ["--out", prepared, "--preprocess.size", case.size, "--source.patients", PATIENTS]
        subprocess.run(
            [sys.executable, "-m", *map(str, command + fields)],
            check=True,
            stdout=subprocess.DEVNULL,
        )
    return prepared


def measure(case: Case, directory: Path, seconds: float) -> dict[str, Any]:
    """Time whole steps from the archive on, and the same steps on a batch that stays on the device.

    `waiting` is the share of the time by which the first take longer: for so long the device waits
    for data, or shares its cores with the loader.
    """
    work = jax_work.prepare(case)
    data = open_prepared(prepare(case, directory))
    batches = training_batches(
        data, batch_size=case.batch, seed=0, copies=2, augmentation=Augmentation()
    )
    mesh, feed = parallel.make_mesh(case.batch), work.feed
    assert feed is not None

    def resident() -> None:
        work.step()

    def loaded() -> None:
        batch = next(batches)
        feed(parallel.to_devices({name: batch[name] for name in FIELDS}, mesh))

    times: dict[str, list[float]] = {"resident": [], "loaded": []}
    for step in (resident, loaded):
        step()
    work.wait()
    began = time.perf_counter()
    while len(times["loaded"]) < LEAST_STEPS or time.perf_counter() - began < seconds:
        for step in (resident, loaded):  # in turns, so that a slow spell touches both
            once = time.perf_counter()
            for _ in range(LEAST_STEPS):  # without a wait between them, as in training
                step()
            work.wait()
            times[step.__name__].append((time.perf_counter() - once) / LEAST_STEPS)
    return work.figures | {
        "seconds": times["loaded"],
        "resident_seconds": times["resident"],
    }
