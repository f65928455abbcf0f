"""Measure how fast data is prepared and loaded, against the bare OpenCV calls on the same images.

    python -m benchmarks.data [prepare] [workers] [memory] [loader] [check]

Without a name all five are measured, in some minutes on two cores. Ours and OpenCV's take turns,
and ratios are medians over the turns, by CPU time where one process works: other work on the
machine then slows both. What needs several free cores is measured by the clock, beside bare OpenCV
in as many processes.
"""

import argparse
import os
import resource
import shutil
import tempfile
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import cv2
import numpy as np

from benchmarks.data.measuring import (
    await_quiet,
    children_seconds,
    measure,
    peaks_of_prepare,
    report,
    spread,
)
from benchmarks.data.radiographs import SETTINGS, SIZE, configure, write_images
from elbow_core.cli import run
from elbow_core.config import dump_config
from elbow_core.dataset.manifest import ManifestRow
from elbow_core.dataset.near_duplicates import find_near_duplicates
from elbow_core.dataset.splits import check_leakage, split_patients
from elbow_core.prepare import prepare
from elbow_core.radiographs import Augmentation, apply_affine, sample_affine

TURNS = 7


def prepare_bare(paths: Sequence[Path]) -> None:
    """Do with OpenCV alone what preparing does to the pixels; nothing is checked or written."""
    cv2.setNumThreads(1)
    clahe = cv2.createCLAHE(SETTINGS.clip_limit, (SETTINGS.grid, SETTINGS.grid))
    for path in paths:
        image = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
        assert image is not None
        image = clahe.apply(cv2.resize(image, (SIZE, SIZE), interpolation=cv2.INTER_AREA))
        blurred = cv2.GaussianBlur(image, (0, 0), SETTINGS.sigma)
        cv2.addWeighted(image, 1 + SETTINGS.amount, blurred, -SETTINGS.amount, 0)


def benchmark_prepare(folder: Path) -> None:
    """One core: the whole of prepare against the bare calls."""
    paths = write_images(folder / "images", 300)
    cv2.setNumThreads(1)
    ours, bare = [], []
    for turn in range(TURNS):
        config = configure(folder / "images", folder / f"out{turn}", workers=0)
        bare.append(measure(lambda: prepare_bare(paths)))
        ours.append(measure(lambda config=config: prepare(config)))
    report("prepare, one core", bare, ours, len(paths))


def benchmark_workers(folder: Path) -> None:
    """Two processes against one, ours and bare OpenCV's, from start to end."""
    paths = write_images(folder / "images", 2400)
    halves = [paths[::2], paths[1::2]]
    context = get_context("spawn")
    ours, bare, possible = [], [], []
    for turn in range(3):
        seconds, cores = [], []
        for workers in (1, 2):
            config = configure(folder / "images", folder / f"out{turn}_{workers}", workers)
            before = children_seconds()
            timing = measure(lambda config=config: prepare(config))
            seconds.append(timing.wall)
            cores.append((timing.cores, children_seconds() - before))
        ours.append(seconds[0] / seconds[1])
        possible.append(sum(cores[0]) / (cores[1][0] + cores[1][1] / 2))
        with ProcessPoolExecutor(1, context) as one, ProcessPoolExecutor(2, context) as two:
            alone = measure(lambda one=one: list(one.map(prepare_bare, [paths]))).wall
            shared = measure(lambda two=two: list(two.map(prepare_bare, halves))).wall
        bare.append(alone / shared)
        for out in folder.glob("out*"):
            shutil.rmtree(out)
    print(
        f"prepare, two workers: {np.median(ours):.2f} times one worker's rate ({spread(ours)}); "
        f"bare OpenCV in two processes {np.median(bare):.2f} ({spread(bare)}); by CPU seconds, "
        "were both cores free and the main process alone with its part: "
        f"{np.median(possible):.2f} ({spread(possible)})"
    )


def benchmark_memory(folder: Path) -> None:
    """Peak memory of a prepare with two workers over few images and over many."""
    for count in (1_000, 40_000):
        rng = np.random.default_rng(0)
        root = folder / f"many{count}"
        for number in range(count):
            path = root / ("normal", "injury")[number % 2] / f"p{number:05d}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            noise = cv2.imencode(".png", rng.integers(0, 256, (40, 40), np.uint8))[1]
            path.write_bytes(noise.tobytes())
        config = configure(root, folder / f"prepared{count}", workers=2, size=64)
        file = folder / f"{count}.yaml"
        file.write_text(dump_config(config.model_copy(update={"near_duplicates": "report"})))
        own, largest_worker = peaks_of_prepare(file)
        pixels = count * 64 * 64 // 2**20
        print(
            f"prepare, {count} images ({pixels} MiB of pixels): peak {own // 1024} MiB in the main "
            f"process, {largest_worker // 1024} MiB in the larger worker"
        )


def benchmark_loader(folder: Path) -> None:
    """One core: batches of augmented images against the same warps alone."""
    # Here, since worker processes import this file, and JAX would be a second of their start.
    from elbow_core.dataset.prepared import open_prepared
    from elbow_jax.data import training_batches
    from elbow_jax.runtime.startup import keep_freed_memory

    keep_freed_memory()  # as every command of training does
    write_images(folder / "images", 240)
    cv2.setNumThreads(1)
    prepare(configure(folder / "images", folder / "prepared", workers=0))
    data = open_prepared(folder / "prepared")
    images = list(data.archive)
    rng = np.random.default_rng(0)
    matrices = [sample_affine(rng, SIZE, Augmentation()) for _ in images]

    def warp_bare() -> None:
        for image, matrix in zip(images, matrices, strict=True):
            apply_affine(image, matrix)

    batches = 60
    # With copies the set is of the report's length. Grain shuffles by walking through a power of
    # two, which for a set of a few hundred images takes longer than reading them.
    iterator = training_batches(
        data, batch_size=32, seed=0, copies=60, augmentation=Augmentation(), redraw=True
    )

    def load() -> None:
        for _ in range(batches):
            next(iterator)
        await_quiet()

    next(iterator)
    await_quiet()
    ours, bare = [], []
    for _ in range(TURNS):
        ours.append(measure(load).cores / (32 * batches))
        bare.append(measure(warp_bare).cores / len(images))
    ratios = [b / o for b, o in zip(bare, ours, strict=True)]
    print(
        f"loader, one core, every image warped: {np.median(ratios):.2f} of the bare warp's rate "
        f"({spread(ratios)}): {1 / np.median(ours):.0f} and {1 / np.median(bare):.0f} images a "
        "second of one core"
    )


def benchmark_check(_: Path) -> None:
    """The checks for leaks and near-duplicates over 45 000 images."""
    rng = np.random.default_rng(0)
    rows = [
        ManifestRow(
            image_id=f"i{number}",
            path=f"i{number}.png",
            label=int(rng.random() < 0.4),
            split="",
            patient_id=f"p{number // 3}",
            study_id=f"p{number // 3}/1",
            view=("ap", "lateral")[number % 2],
            body_part="elbow",
            finding="",
            source="benchmark",
            sha256=f"{number:064x}",
        )
        for number in range(45_000)
    ]
    hashes = rng.integers(0, 256, (45_000, 32), np.uint8)
    hashes[100::450] = hashes[::450] ^ np.uint8(1)
    found: list[np.ndarray] = []
    timing = measure(lambda: found.append(find_near_duplicates(hashes)))
    shares = {"train": 0.8, "validation": 0.1, "test": 0.1}
    pairs = [(one, other) for one, other, _ in found[0].tolist()]
    split = measure(lambda: check_leakage(split_patients(rows, shares, 0, pairs)))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(
        f"check, 45000 images: {len(pairs)} near-duplicate pairs in {timing.wall:.1f} s, split and "
        f"leakage in {split.wall:.1f} s; peak {peak} MiB in this process"
    )


BENCHMARKS = {
    "prepare": benchmark_prepare,
    "workers": benchmark_workers,
    "memory": benchmark_memory,
    "loader": benchmark_loader,
    "check": benchmark_check,
}


def main(arguments: Sequence[str]) -> int:
    """Run the benchmarks that are named, or all."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("names", nargs="*", help=f"of {', '.join(BENCHMARKS)}; all without any")
    names = parser.parse_args(arguments).names or list(BENCHMARKS)
    if unknown := [name for name in names if name not in BENCHMARKS]:
        parser.error(f"{', '.join(unknown)}: not one of {', '.join(BENCHMARKS)}")
    print(f"{os.cpu_count()} cores, OpenCV {cv2.__version__}, NumPy {np.__version__}")
    for name in names:
        with tempfile.TemporaryDirectory(prefix="benchmark_data_") as folder:
            BENCHMARKS[name](Path(folder))
    return 0


if __name__ == "__main__":
    run(main)
