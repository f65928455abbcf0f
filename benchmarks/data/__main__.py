"""Measure how fast data is prepared and loaded, against bare OpenCV calls on the same images.

    python -m benchmarks.data [prepare] [workers] [memory] [headers] [loader] [check]

Without a name all six run, in some minutes on two cores. The project's code and bare OpenCV run in
alternating turns; ratios are medians over the turns, by CPU time where one process works, so that
other load on the machine slows both. Work of several processes is measured by wall time, next to
bare OpenCV in as many processes.
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

from benchmarks.data.dicom_headers import write_headers
from benchmarks.data.measurement import (
    await_idle,
    children_cpu_seconds,
    measure,
    peaks_of_prepare,
    report,
    scan_headers,
    spread,
)
from benchmarks.data.radiographs import SETTINGS, SIZE, configure, write_images
from elbow_core.cli import run
from elbow_core.config import dump_config
from elbow_core.dataset import (
    ManifestRow,
    check_leakage,
    find_near_duplicates,
    open_prepared,
    split_patients,
)
from elbow_core.prepare import prepare
from elbow_core.radiographs import Augmentation, apply_affine, sample_affine

TURNS = 7


def silent(_: str) -> None:
    """Print nothing: each turn would say the same about its patients."""


def prepare_bare(paths: Sequence[Path]) -> None:
    """Process the pixels as prepare does, with OpenCV alone and without checks or output."""
    cv2.setNumThreads(1)
    clahe = cv2.createCLAHE(SETTINGS.clip_limit, (SETTINGS.grid, SETTINGS.grid))
    for path in paths:
        image = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
        assert image is not None
        image = clahe.apply(cv2.resize(image, (SIZE, SIZE), interpolation=cv2.INTER_AREA))
        blurred = cv2.GaussianBlur(image, (0, 0), SETTINGS.sigma)
        cv2.addWeighted(image, 1 + SETTINGS.amount, blurred, -SETTINGS.amount, 0)


def benchmark_prepare(folder: Path) -> None:
    """Compare prepare with bare OpenCV on one core."""
    paths = write_images(folder / "images", 300)
    cv2.setNumThreads(1)
    project, bare = [], []
    for turn in range(TURNS):
        config = configure(folder / "images", folder / f"out{turn}", workers=0)
        bare.append(measure(lambda: prepare_bare(paths)))
        project.append(measure(lambda config=config: prepare(config, silent)))
    report("prepare, one core", bare, project, len(paths))


def benchmark_workers(folder: Path) -> None:
    """Compare two worker processes with one, for prepare and for bare OpenCV, by wall time."""
    paths = write_images(folder / "images", 2400)
    halves = [paths[::2], paths[1::2]]
    context = get_context("spawn")
    project, bare, possible = [], [], []
    for turn in range(3):
        seconds, cpu = [], []
        for workers in (1, 2):
            config = configure(folder / "images", folder / f"out{turn}_{workers}", workers)
            before = children_cpu_seconds()
            timing = measure(lambda config=config: prepare(config))
            seconds.append(timing.wall)
            cpu.append((timing.cpu, children_cpu_seconds() - before))
        project.append(seconds[0] / seconds[1])
        possible.append(sum(cpu[0]) / (cpu[1][0] + cpu[1][1] / 2))
        with ProcessPoolExecutor(1, context) as one, ProcessPoolExecutor(2, context) as two:
            one_process = measure(lambda one=one: list(one.map(prepare_bare, [paths]))).wall
            two_processes = measure(lambda two=two: list(two.map(prepare_bare, halves))).wall
        bare.append(one_process / two_processes)
        for out in folder.glob("out*"):
            shutil.rmtree(out)
    print(
        f"prepare, two workers: {np.median(project):.2f} times one worker's rate "
        f"({spread(project)}); bare OpenCV in two processes {np.median(bare):.2f} "
        f"({spread(bare)}); upper limit from CPU seconds, with both cores free "
        f"and the main process's share serial: {np.median(possible):.2f} ({spread(possible)})"
    )


def benchmark_memory(folder: Path) -> None:
    """Measure the peak memory of prepare with two workers, over few images and over many."""
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


def benchmark_headers(folder: Path) -> None:
    """Measure time and peak memory of scanning DICOM headers with two workers."""
    for count in (1_000, 50_000):
        root = folder / f"headers{count}"
        write_headers(root, count)
        (folder / "key").write_bytes(bytes(range(32)))
        config = configure(root, folder / "prepared", workers=2)
        file = folder / f"headers{count}.yaml"
        file.write_text(dump_config(config.model_copy(update={"id_key": folder / "key"})))
        scanned = scan_headers(file)
        print(
            f"headers, {scanned.files} DICOM files, two workers: {scanned.wall:.1f} s, "
            f"{scanned.cpu:.1f} s of CPU time; peak {scanned.own // 1024} MiB in the main process, "
            f"{scanned.largest_worker // 1024} MiB in the larger worker"
        )


def benchmark_loader(folder: Path) -> None:
    """Compare loading augmented batches with the bare affine warps, on one core."""
    # Imported here: worker processes import this module, and JAX would add a second to their start.
    from elbow_jax.data import training_batches
    from elbow_jax.runtime import keep_freed_memory

    keep_freed_memory()  # as the training commands do
    write_images(folder / "images", 240)
    cv2.setNumThreads(1)
    prepare(configure(folder / "images", folder / "prepared", workers=0), silent)
    data = open_prepared(folder / "prepared")
    images = list(data.archive)
    rng = np.random.default_rng(0)
    matrices = [sample_affine(rng, SIZE, Augmentation()) for _ in images]

    def warp_bare() -> None:
        for image, matrix in zip(images, matrices, strict=True):
            apply_affine(image, matrix)

    batches = 60
    # The copies make the set as long as the paper's. Grain's shuffle iterates over a power of two,
    # which for a few hundred images would take longer than reading them.
    iterator = training_batches(
        data, batch_size=32, seed=0, copies=60, augmentation=Augmentation(), redraw=True
    )

    def load() -> None:
        for _ in range(batches):
            next(iterator)
        await_idle()

    next(iterator)
    await_idle()
    project, bare = [], []
    for _ in range(TURNS):
        project.append(measure(load).cpu / (32 * batches))
        bare.append(measure(warp_bare).cpu / len(images))
    ratios = [b / o for b, o in zip(bare, project, strict=True)]
    print(
        f"loader, one core, every image warped: {np.median(ratios):.2f} of the bare warp's rate "
        f"({spread(ratios)}): {1 / np.median(project):.0f} and {1 / np.median(bare):.0f} images a "
        "second of one core"
    )


def benchmark_check(_: Path) -> None:
    """Measure the checks for leakage and near-duplicates over 45 000 images."""
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
    "headers": benchmark_headers,
    "loader": benchmark_loader,
    "check": benchmark_check,
}


def main(arguments: Sequence[str]) -> int:
    """Run the named benchmarks, or all."""
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
