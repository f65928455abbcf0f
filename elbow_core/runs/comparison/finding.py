"""Find the runs below folders."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from elbow_core.errors import ConfigError, UserError
from elbow_core.runs.comparison.summary import RunSummary, summarise
from elbow_core.runs.directory import CONFIG, RECORD


@dataclass(frozen=True)
class FoundRuns:
    """The runs below some folders, and the folders that are none.

    Attributes:
        runs: ordered by path.
        damaged: one line for each run whose configuration or record cannot be read.
        foreign: folders without a run in them, and those that may not be read; the topmost of each.
    """

    runs: tuple[RunSummary, ...]
    damaged: tuple[str, ...]
    foreign: tuple[Path, ...]


def find_runs(folders: Sequence[Path]) -> FoundRuns:
    """Read every run below folders; a run is a folder with ``config.yaml`` and ``run.json``.

    A folder with one of the two is a damaged run. A run's own folders are not searched; links and
    folders whose name begins with a dot are left out.

    Raises:
        UserError: if a folder does not exist or cannot be read.
    """
    runs: dict[Path, RunSummary] = {}
    damaged: dict[Path, str] = {}
    foreign: list[Path] = []

    def search(folder: Path) -> bool:
        """Return whether a run, damaged or not, is in a folder; add the runs."""
        if any(os.path.lexists(folder / name) for name in (CONFIG, RECORD)):
            try:
                runs[folder] = summarise(folder)
            except ConfigError as error:
                damaged[folder] = str(error)
            return True
        try:
            inside = sorted(path for path in folder.iterdir() if _is_searched(path))
        except OSError:
            return False
        without = [path for path in inside if not search(path)]
        if len(without) < len(inside):
            foreign.extend(without)
            return True
        return False

    for folder in folders:
        try:
            next(folder.iterdir(), None)
        except OSError as error:
            raise UserError(f"{folder}: cannot be read: {error.strerror}") from error
        search(folder)
    return FoundRuns(
        tuple(runs[path] for path in sorted(runs)),
        tuple(damaged[path] for path in sorted(damaged)),
        tuple(sorted(set(foreign))),
    )


def _is_searched(path: Path) -> bool:
    return not path.name.startswith(".") and path.is_dir() and not path.is_symlink()
