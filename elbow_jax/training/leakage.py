"""What a run's first weights have seen: no image that judges a run may have taught it."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from elbow_core.config import load_config
from elbow_core.dataset.manifest import ManifestRow, read_manifest
from elbow_core.dataset.near_duplicates import (
    HASHES,
    find_near_duplicates_between,
    write_near_duplicates,
)
from elbow_core.dataset.prepared import PreparedData
from elbow_core.dataset.splits import check_disjoint
from elbow_core.errors import ConfigError
from elbow_jax.config import TrainConfig
from elbow_jax.training.first_weights import Init
from elbow_jax.training.run_directory import RunDirectory

# Whom a split of an earlier run's images must not meet: what taught judges nothing, and what chose
# the weights is no test.
_JUDGED = {"train": ("validation", "test"), "validation": ("test",)}


@dataclass(frozen=True)
class Lookalikes:
    """Images that judge a run and look like ones that an earlier run has learnt from."""

    rows: Sequence[ManifestRow]
    """Of both sets."""
    pairs: np.ndarray
    """Positions in `rows` of the one that judges and the one that taught, and bits between them."""

    def write(self, path: Path) -> None:
        """Write them as `elbow_core.dataset.near_duplicates` writes those within a set."""
        write_near_duplicates(path, self.rows, self.pairs)


def refuse_seen_images(init: Init, data: PreparedData) -> None:
    """Refuse to start from a run that has learnt from images which are to judge this one.

    No image or patient that the run, or one that it started from, was trained on may stand in the
    validation or test set of `data`; none that chose its weights in the test set. Where a run's
    prepared images are no longer there, that is said on standard error and not checked.

    Raises:
        ConfigError: if a directory is not a run.
        ManifestError: naming the images or patients.
    """
    for run, prepared in _earlier_runs(init):
        if not (prepared / "manifest.csv").is_file():
            print(
                f"{run}: its images ({prepared}) are gone, so that they could not be compared with "
                f"those of {data.directory}",
                file=sys.stderr,
            )
            continue
        seen = read_manifest(prepared / "manifest.csv")
        for theirs, ours in _JUDGED.items():
            check_disjoint(
                [row for row in seen if row.split == theirs],
                [row for row in data.rows if row.split in ours],
            )


def find_lookalikes(init: Init, data: PreparedData) -> Lookalikes:
    """Return the near-duplicates of images of which `refuse_seen_images` refuses the very bytes.

    By perceptual hash, in every other prepared directory that an earlier run was trained on and
    that is still there; those within `data` are listed beside it.
    """
    directories = {prepared.resolve() for _, prepared in _earlier_runs(init)}
    rows, pairs = list(data.rows), [np.zeros((0, 3), np.int64)]
    hashes = _hashes(data.directory)
    for directory in sorted(directories - {data.directory.resolve()}):
        taught_hashes = _hashes(directory)
        if hashes is None or taught_hashes is None:
            continue
        seen = read_manifest(directory / "manifest.csv")
        for theirs, ours in _JUDGED.items():
            judge = [at for at, row in enumerate(data.rows) if row.split in ours]
            taught = [at for at, row in enumerate(seen) if row.split == theirs]
            found = find_near_duplicates_between(hashes[judge], taught_hashes[taught])
            found[:, 0] = np.asarray(judge, np.int64)[found[:, 0]]
            found[:, 1] = len(rows) + np.asarray(taught, np.int64)[found[:, 1]]
            pairs.append(found)
        rows.extend(seen)
    return Lookalikes(rows, np.concatenate(pairs))


def _hashes(directory: Path) -> np.ndarray | None:
    path = directory / HASHES
    return np.load(path, allow_pickle=False) if path.is_file() else None


def _earlier_runs(init: Init) -> Iterator[tuple[Path, Path]]:
    """Yield each run that `init` names or goes back to, and its prepared images."""
    for path in map(Path, init.values() if isinstance(init, Mapping) else [init]):
        if not path.is_dir():
            continue  # published weights
        if not RunDirectory(path).config.is_file():
            raise ConfigError(f"init: {path} is not a run (it has no config.yaml)")
        config = load_config(TrainConfig, RunDirectory(path).config)
        yield path, config.data.prepared
        if config.init is not None:
            yield from _earlier_runs(config.init)
