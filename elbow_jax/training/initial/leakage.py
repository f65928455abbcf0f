"""Check for leakage from the images of earlier runs into the validation and test sets of a run.

A released model lists what it and all its predecessors learnt from. Models of earlier versions do
not; for them the prepared directories that the runs name are read.
"""

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int

from elbow_core.config import load_config
from elbow_core.dataset import (
    LEAKS_INTO,
    NOTHING_SEEN,
    UNKNOWN_SEEN,
    FoldSplit,
    ManifestRow,
    PreparedData,
    SeenImages,
    check_disjoint,
    find_near_duplicates_between,
    images_learnt_from,
    open_fold,
    read_hashes,
    read_manifest,
    refuse_seen,
    write_near_duplicates,
)
from elbow_core.errors import ConfigError, UserError
from elbow_core.runs import locate, require_data
from elbow_jax.config import TrainConfig
from elbow_jax.porting import PUBLISHED
from elbow_jax.scoring import images_seen_by, read_card
from elbow_jax.training.initial.shipped import SHIPPED, is_shipped, seen_by_shipped
from elbow_jax.training.initial.weights import Init
from elbow_jax.training.run_directory import RunDirectory, recorded_origin


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
    the test set. A line on standard error says what could not be compared: the unknown origin of
    an earlier run's weights, or an earlier run without a list whose data are gone or have changed.

    Raises:
        ConfigError: if a directory is not a run, or its images cannot be compared with these.
        ManifestError: naming the images or patients.
    """
    learnt = {str(path): _seen_by_model(path) for path in _runs_in(init)}
    learnt |= {tag: seen_by_shipped(tag) for tag in _sources_in(init) if is_shipped(tag)}
    for source, seen in learnt.items():
        if seen is None:
            _refuse_leakage_by_manifests(source, data)
        else:
            for line in refuse_seen(seen, data, ("validation", "test"), f"init: {source}"):
                print(line, file=sys.stderr)


def seen_before(init: Init | None, origin: Mapping[str, Any] | None) -> SeenImages:
    """Return what the initial weights of a run learnt from.

    Published weights of ImageNet learnt from no radiograph. Other files do not say what they learnt
    from; nor do models of earlier versions whose data are gone or have changed.

    Args:
        init: the initial weights.
        origin: of them: see `InitialWeights`.

    Raises:
        ConfigError: if a directory is not a run, or its list of images is damaged.
    """
    if init is None:
        return NOTHING_SEEN
    runs, seen = _runs_in(init), NOTHING_SEEN
    shipped = [tag for tag in _sources_in(init) if is_shipped(tag)]
    for tag in shipped:
        seen |= seen_by_shipped(tag)
    for path in runs:
        listed = _seen_by_model(path)
        seen |= _seen_by_data(path) if listed is None else listed
    if len(runs) + len(shipped) == len(_sources_in(init)):
        return seen
    source = (origin or {}).get("ported_source") or init
    return seen if isinstance(source, str) and source in PUBLISHED else seen | UNKNOWN_SEEN


def _sources_in(init: Init) -> list[str]:
    return list(init.values()) if isinstance(init, Mapping) else [init]


def _runs_in(init: Init) -> list[Path]:
    """Return the directories in `init`; the rest are shipped or published weights, or gone."""
    runs = [
        Path(source)
        for source in _sources_in(init)
        if source not in SHIPPED and Path(source).is_dir()
    ]
    for path in runs:
        if not RunDirectory(path).config.is_file():
            raise ConfigError(f"init: {path} is not a run (it has no config.yaml)")
    return runs


def _seen_by_model(run: Path) -> SeenImages | None:
    """Return what the released model of a run lists; None where it lists nothing."""
    model = RunDirectory(run).model
    return images_seen_by(model, read_card(model)) if model.is_dir() else None


def _seen_by_data(run: Path) -> SeenImages:
    """Return what a run and its predecessors learnt from, as far as their data still exist."""
    config = load_config(TrainConfig, RunDirectory(run).config)
    prepared = locate(run, config.data.prepared)
    try:
        require_data(run, prepared)
        seen = images_learnt_from(open_fold(prepared, config.data.fold))
        origin = recorded_origin(run)
    except (UserError, OSError):
        return UNKNOWN_SEEN
    return seen if config.init is None else seen | seen_before(_located(run, config.init), origin)


def _refuse_leakage_by_manifests(init: Init, data: PreparedData) -> None:
    for run, prepared, fold in _earlier_runs(init):
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
        if not _is_unchanged(run, prepared):
            print(
                f"{run}: its data ({prepared}) have changed since it began, so that the images "
                f"that it learnt from may be others than those compared with {data.directory}",
                file=sys.stderr,
            )
        earlier = _rows_of(prepared, fold)
        for split, held_out in LEAKS_INTO.items():
            check_disjoint(
                [row for row in earlier if row.split == split],
                [row for row in data.rows if row.split in held_out],
            )


def _is_unchanged(run: Path, prepared: Path) -> bool:
    try:
        require_data(run, prepared)
    except (ConfigError, OSError):
        return False
    return True


def find_leaked_near_duplicates(init: Init, data: PreparedData) -> LeakedNearDuplicates:
    """Return the near-duplicates among the images that `refuse_leakage` compares.

    By perceptual hash, with every other prepared directory that an earlier run used and that still
    exists; near-duplicates within `data` are listed beside it.
    """
    used = {(path.resolve(), fold) for _, path, fold in _earlier_runs(init) if path}
    rows, pairs = list(data.rows), [np.zeros((0, 3), np.int64)]
    hashes = read_hashes(data.directory, len(data.rows))
    for directory, fold in sorted(used, key=str):
        if directory == data.directory.resolve():
            continue
        if not (directory / "manifest.csv").is_file():
            continue
        earlier = _rows_of(directory, fold)
        earlier_hashes = read_hashes(directory, len(earlier))
        if hashes is None or earlier_hashes is None:
            continue
        for split, held_out in LEAKS_INTO.items():
            first = [index for index, row in enumerate(data.rows) if row.split in held_out]
            second = [index for index, row in enumerate(earlier) if row.split == split]
            found = find_near_duplicates_between(hashes[first], earlier_hashes[second])
            found[:, 0] = np.asarray(first, np.int64)[found[:, 0]]
            found[:, 1] = len(rows) + np.asarray(second, np.int64)[found[:, 1]]
            pairs.append(found)
        rows.extend(earlier)
    return LeakedNearDuplicates(rows, np.concatenate(pairs))


def _rows_of(prepared: Path, fold: FoldSplit | None) -> Sequence[ManifestRow]:
    """Return the rows of a prepared directory, with the splits of a fold if one is given."""
    if fold is None:
        return read_manifest(prepared / "manifest.csv")
    return open_fold(prepared, fold).rows


def _earlier_runs(
    init: Init, nested: bool = False
) -> Iterator[tuple[Path, Path | None, FoldSplit | None]]:
    """Yield each run in `init`, and those that it started from, with its images and its fold.

    None in their place for one of the latter that was moved or deleted.
    """
    if nested:
        for source in _sources_in(init):
            if source not in (*PUBLISHED, *SHIPPED) and not Path(source).exists():
                yield Path(source), None, None
    for path in _runs_in(init):
        config = load_config(TrainConfig, RunDirectory(path).config)
        yield path, locate(path, config.data.prepared), config.data.fold
        if config.init is not None:
            yield from _earlier_runs(_located(path, config.init), nested=True)


def _located(run: Path, init: Init) -> Init:
    """Return the initial weights of a run with its paths found from this working directory."""

    def find(source: str) -> str:
        located = locate(run, Path(source))
        return str(located) if located.exists() else source  # a tag is no path

    if isinstance(init, Mapping):
        return {name: find(source) for name, source in init.items()}
    return find(init)
