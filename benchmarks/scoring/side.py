"""One side of the comparison, in a process of its own: it scores all files whenever it is asked to.

    python -m benchmarks.scoring.side FRAMEWORK MODEL FOLDER WORKERS BATCH

It compiles first, then scores all files for each line of standard input, and answers in a line of
JSON: seconds from the first file to the last score, and the scores. Both sides keep their worker
processes between passes, and use the same decoding and preprocessing.
"""

import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

from elbow_core.radiographs import Preprocessing, preprocess, read_radiograph
from elbow_jax.streaming import find_images

EAGER = "torch eager"
FRAMEWORKS = ("jax", "torch", EAGER)
READY = "ready"


class Radiographs:
    """The files as a PyTorch data set: an item is a preprocessed image."""

    def __init__(self, paths: list[str], settings: Preprocessing) -> None:
        self._paths = paths
        self._settings = settings.model_dump()

    def __len__(self) -> int:
        return len(self._paths)

    def __getitem__(self, index: int) -> np.ndarray:
        return preprocess(read_radiograph(self._paths[index]), **self._settings)


def jax_scorer(
    model: Path, paths: list[str], workers: int, batch: int, stack: ExitStack
) -> Callable[[], list[float]]:
    """Return the function that scores all files with the code of `elbow_jax.predict`."""
    from elbow_core.processes import WorkerPool
    from elbow_jax import runtime, scoring
    from elbow_jax.streaming import score_files

    runtime.set_up_process()
    runtime.open_devices()
    released = scoring.read_released(model)
    predictor = scoring.Predictor(released, batch)
    settings = released.card.preprocessing
    pool = stack.enter_context(WorkerPool(workers))

    def score() -> list[float]:
        groups = score_files(paths, 0, {}, predictor, settings, pool)
        return [outcome.score for group in groups for outcome in group if outcome.score is not None]

    return score


def torch_scorer(
    model: Path, paths: list[str], workers: int, batch: int, compiled: bool
) -> Callable[[], list[float]]:
    """Return the function that scores all files with a DataLoader and the twin of the network."""
    import torch
    from torch.utils.data import DataLoader

    from benchmarks.throughput.measuring.torch_work import ACCELERATED, DEVICE, DTYPE, Normalised
    from elbow_jax import porting
    from elbow_jax.models import build_model
    from elbow_jax.scoring import read_released

    porting.define_missing_torchvision_operators()
    torch.backends.cudnn.benchmark = True
    torch.set_float32_matmul_precision("high")
    released = read_released(model)
    architecture = released.card.architecture
    tensors = porting.to_torch(released.variables, build_model(architecture))
    twin: Any = porting.build_twin(architecture)
    twin.load_state_dict({name: torch.tensor(value) for name, value in tensors.items()})
    network: Any = Normalised(twin.to(DEVICE).to(memory_format=torch.channels_last)).eval()
    network = torch.compile(network) if compiled else network
    images: Any = Radiographs(paths, released.card.preprocessing)
    loader = DataLoader(
        images,
        batch,
        num_workers=workers,
        persistent_workers=workers > 0,
        pin_memory=ACCELERATED,
        # Reading the weights has started JAX's threads, which a fork would not copy.
        multiprocessing_context="spawn" if workers else None,
    )

    @torch.inference_mode()
    def score() -> list[float]:
        found = []
        for images in loader:
            # The last batch too has the compiled size.
            padded = torch.nn.functional.pad(images, (0, 0, 0, 0, 0, batch - len(images)))
            with torch.autocast(DEVICE.type, DTYPE, enabled=ACCELERATED):
                logits = network(padded[:, None].to(DEVICE, non_blocking=True))
            found.append(logits[: len(images)].float())
        return torch.sigmoid(torch.cat(found).double()).tolist()

    return score


def _main(framework: str, model: str, folder: str, workers: str, batch: str) -> None:
    paths = find_images([folder]).paths
    with ExitStack() as stack:
        sizes = int(workers), int(batch)
        if framework == "jax":
            score = jax_scorer(Path(model), paths, *sizes, stack)
        else:
            score = torch_scorer(Path(model), paths, *sizes, framework != EAGER)
        score()
        print(READY, flush=True)
        for _ in _requests():
            began = time.perf_counter()
            scores = score()
            seconds = time.perf_counter() - began
            print(json.dumps({"seconds": seconds, "scores": scores}), flush=True)


def _requests() -> Iterator[str]:
    """Yield the lines of standard input, which no worker process may share."""
    requests = os.fdopen(os.dup(0))
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    yield from requests


if __name__ == "__main__":
    _main(*sys.argv[1:])
