"""Check for leakage from the images of earlier runs into the validation and test sets of a run."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Int, UInt8

from elbow_core.config import load_config
from elbow_core.dataset import (
    HASHES_FILE,
    ManifestRow,
    PreparedData,
    check_disjoint,
    find_near_duplicates_between,
    read_manifest,
    write_near_duplicates,
)
from elbow_core.errors import ConfigError
from elbow_core.runs import locate
from elbow_jax.config import TrainConfig
from elbow_jax.porting import PUBLISHED
from elbow_jax.training.initial_weights import Init
from elbow_jax.training.run_directory import RunDirectory

# A split of an earlier run, and the splits of this run that must not share its images: training
# images leak into validation and test; validation images, which chose the weights, into the test.
_LEAKS_INTO = {"train": ("validation", "test"), "validation": ("test",)}


@dataclass(frozen=True)
class LeakedNearDuplicates:
    """Validation or test images of a run that are near-duplicates of an earlier run's images."""

    rows: Sequence[ManifestRow]
    """Of all the sets."""
    pairs: Int[np.ndarray, "pairs 3"]
    """Positions in `rows` of this run's and the earlier run's image, and their distance in bits."""

    def write(self, path: Path) -> None:
        """Write the pairs in the format of a prepared set's ``near_duplicates.csv``."""
        write_near_duplicates(path, self.rows, self.pairs)


def refuse_leakage(init: Init, data: PreparedData) -> None:
    """Refuse initial weights that were trained on images of this run's validation or test set.

    No image or patient of the training set of an earlier run (the run in `init`, or one that it
    started from) may be in the validation or test set of `data`, and none of its validation set in
    the test set. If an earlier run or its prepared images no longer exist, a line on standard
    error says that they were not checked.

    Raises:
        ConfigError: if a directory is not a run.
        ManifestError: naming the images or patients.
    """
    for run, prepared in _earlier_runs(init):
        if prepared is None:
            print(
                f"{run}: no longer exists, so its images were not compared with those of "
                f"{data.directory}",
                file=sys.stderr,
            )
            continue
        if not (prepared / "manifest.csv").is_file():
            print(
                f"{run}: its images ({prepared}) no longer exist, so they were not compared with "
                f"those of {data.directory}",
                file=sys.stderr,
            )
            continue
        earlier = read_manifest(prepared / "manifest.csv")
        for split, held_out in _LEAKS_INTO.items():
            check_disjoint(
                [row for row in earlier if row.split == split],
                [row for row in data.rows if row.split in held_out],
            )


def find_leaked_near_duplicates(init: Init, data: PreparedData) -> LeakedNearDuplicates:
    """Return the near-duplicates among the images that `refuse_leakage` compares.

    By perceptual hash, with every other prepared directory that an earlier run used and that still
    exists; near-duplicates within `data` are listed beside it.
    """
    directories = {prepared.resolve() for _, prepared in _earlier_runs(init) if prepared}
    rows, pairs = list(data.rows), [np.zeros((0, 3), np.int64)]
    hashes = _read_hashes(data.directory)
    for directory in sorted(directories - {data.directory.resolve()}):
        earlier_hashes = _read_hashes(directory)
        if hashes is None or earlier_hashes is None:
            continue
        earlier = read_manifest(directory / "manifest.csv")
        for split, held_out in _LEAKS_INTO.items():
            first = [index for index, row in enumerate(data.rows) if row.split in held_out]
            second = [index for index, row in enumerate(earlier) if row.split == split]
            found = find_near_duplicates_between(hashes[first], earlier_hashes[second])
            found[:, 0] = np.asarray(first, np.int64)[found[:, 0]]
            found[:, 1] = len(rows) + np.asarray(second, np.int64)[found[:, 1]]
            pairs.append(found)
        rows.extend(earlier)
    return LeakedNearDuplicates(rows, np.concatenate(pairs))


def _read_hashes(directory: Path) -> UInt8[np.ndarray, "images 32"] | None:
    path = directory / HASHES_FILE
    return np.load(path, allow_pickle=False) if path.is_file() else None


def _earlier_runs(init: Init, nested: bool = False) -> Iterator[tuple[Path, Path | None]]:
    """Yield each run in `init`, and those that it started from, with its prepared images.

    None in their place for one of the latter that was moved or deleted.
    """
    for path in map(Path, init.values() if isinstance(init, Mapping) else [init]):
        if not path.is_dir():
            if nested and str(path) not in PUBLISHED and not path.is_file():
                yield path, None
            continue  # published weights
        if not RunDirectory(path).config.is_file():
            raise ConfigError(f"init: {path} is not a run (it has no config.yaml)")
        config = load_config(TrainConfig, RunDirectory(path).config)
        yield path, locate(path, config.data.prepared)
        if config.init is not None:
            yield from _earlier_runs(_located(path, config.init), nested=True)


def _located(run: Path, init: Init) -> Init:
    """Return the initial weights of a run with its paths found from this working directory."""
    if isinstance(init, Mapping):
        return {name: str(locate(run, Path(path))) for name, path in init.items()}
    located = locate(run, Path(init))
    return str(located) if located.exists() else init  # a tag of published weights is no path
