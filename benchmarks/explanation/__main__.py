"""Measure what heat maps cost beside plain scores, on the shipped networks.

    python -m benchmarks.explanation [--size 96] [--batch-size 8] [--turns 9] [--images 10000]

For each network: the time of Grad-CAM's maps for a batch, result on the host, as a multiple of that
of the batch's plain scores; both in alternating turns, by CPU time, so that other load on the
machine slows both. Integrated gradients and occlusion are stated as passes through the network,
which follow from their settings. Then the peak memory of explaining and writing the first tenth of
--images and all of them, at 32 pixels.
"""

import argparse
import resource
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

import elbow_jax
from elbow_core.cli import run
from elbow_core.evaluation.heat_maps import MappedImage

NETWORKS = ("mobilenetv3_large", "efficientnetv2_s", "convnext_tiny")
WEIGHTS = Path(elbow_jax.__file__).parent / "weights"
SMALL = 32  # pixels a side, for the memory of many images


def main(arguments: Sequence[str]) -> int:
    """Run the benchmark; return the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.explanation",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--size", type=int, default=96, help="pixels a side")
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--turns", type=int, default=9)
    parser.add_argument("--images", type=int, default=10_000, help="of the memory; 0: none")
    options = parser.parse_args(arguments)
    from elbow_jax import runtime

    runtime.set_up_process()
    runtime.open_devices()
    for network in NETWORKS:
        print(time_line(network, options.size, options.batch_size, options.turns), flush=True)
    print(passes_line(options.size))
    if options.images:
        print(memory_line(options.images))
    return 0


def time_line(network: str, size: int, batch_size: int, turns: int) -> str:
    """Measure one network; return what it costs in a line."""
    import jax

    from elbow_jax import explain, networks
    from elbow_jax.scoring import read_released
    from elbow_jax.steps import make_eval_step

    released = read_released(WEIGHTS / f"{network}_small")
    module = networks.build(released.card.architecture, "float32")
    variables = jax.device_put(released.variables)
    image = np.random.default_rng(0).integers(0, 256, (batch_size, size, size, 1), np.uint8)
    batch = {"image": jax.device_put(image)}
    layers = explain.feature_layers(module, variables, np.zeros((1, size, size, 1), np.float32))
    score = jax.jit(make_eval_step(module.apply, np.float32))
    explain_step = jax.jit(explain.make_explain_step(module, ["grad_cam"], layers))
    plain, mapped = alternate(
        lambda: np.asarray(score(variables, batch)),
        lambda: jax.tree.map(np.asarray, explain_step(variables, batch)),
        turns,
    )
    return (
        f"{network}, small, {size} pixels: a score {plain / batch_size * 1e3:.2f} ms an image, a "
        f"score with Grad-CAM {mapped / plain:.2f} times that"
    )


def alternate(
    first: Callable[[], Any], second: Callable[[], Any], turns: int
) -> tuple[float, float]:
    """Return the median CPU time of each function in seconds, called in turns after one call."""
    for function in (first, second):
        function()
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(turns):
        for function, found in zip((first, second), times, strict=True):
            start = time.process_time()
            for _ in range(3):
                function()
            found.append((time.process_time() - start) / 3)
    return median(times[0]), median(times[1])


def passes_line(size: int) -> str:
    """Return how often the other methods run the network on an image."""
    from elbow_jax.explain import STEPS, patch_places

    passes = len(patch_places(size)[1])
    return (
        f"occlusion at {size} pixels: {passes + 1} forward passes an image; "
        f"integrated gradients: {STEPS} forward and backward passes and "
        "two forward passes"
    )


def memory_line(images: int) -> str:
    """Explain and write random images; return the peak memory after a tenth and after all."""
    from elbow_jax import explain
    from elbow_jax.scoring import read_released

    released = read_released(WEIGHTS / "mobilenetv3_large_small")
    preprocessing = released.card.preprocessing.model_copy(update={"size": SMALL})
    card = released.card.model_copy(update={"preprocessing": preprocessing})
    explainer = explain.Explainer(card, released.variables, ["grad_cam"], 64)
    rng = np.random.default_rng(0)

    def batches() -> Iterator[dict[str, np.ndarray]]:
        for first in range(0, images, 64):
            positions = np.arange(first, first + 64, dtype=np.int32)
            image = rng.integers(0, 256, (64, SMALL, SMALL, 1), np.uint8)
            yield {"image": image, "position": np.where(positions < images, positions, -1)}

    def image_of(position: int) -> MappedImage:
        area = (0.0, 0.0, float(SMALL), float(SMALL))
        return MappedImage(image_id=f"image {position}", height=SMALL, width=SMALL, area=area)

    grey = np.zeros((SMALL, SMALL), np.uint8)
    source = explain.Source(iter(()), images, image_of, lambda _: grey, "")
    after_tenth = 0.0
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "out").mkdir()
        writer = explain.SetsWriter(
            Path(folder) / "out", card, ["grad_cam"], "network", "trained", False
        )
        for count, found in enumerate(explainer.explain(batches(), str), start=1):
            writer.add(found, source)
            if count == max(images // 10, 1):
                after_tenth = peak_mib()
        writer.finish()
    return (
        f"peak memory of explaining {max(images // 10, 1)} images {after_tenth:.0f} MiB, of "
        f"{images} images {peak_mib():.0f} MiB"
    )


def peak_mib() -> float:
    """Return the largest memory that this process has had, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    run(main)
