"""A table of runs: its columns, its rows and their order."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from elbow_core.errors import UserError
from elbow_core.runs.comparison.summary import RunSummary

FIRST_COLUMNS = ("run", "state", "step", "began")
_METRICS = (
    *("validation.auroc", "validation.accuracy", "validation.loss", "validation.epoch"),
    *("test.auroc", "test.auroc.low", "test.auroc.high"),
    *("test.accuracy", "test.sensitivity", "test.specificity"),
)

Cell = str | int | float | None
"""None where a run does not say it."""


@dataclass(frozen=True)
class Table:
    """Rows under columns, one row a run."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]

    def sorted_by(self, column: str, descending: bool = False) -> "Table":
        """Return the table in the order of a column: numbers, then texts, then empty cells.

        Equal rows keep their order, and empty cells stay last in both directions.

        Raises:
            UserError: if there is no such column; the message lists those that there are.
        """
        if column not in self.columns:
            raise UserError(
                f"--sort: {column}: is not a column; there are {', '.join(self.columns)}"
            )
        index = self.columns.index(column)
        known = [row for row in self.rows if row[index] is not None]
        known.sort(key=lambda row: _order(row[index]), reverse=descending)
        empty = [row for row in self.rows if row[index] is None]
        return Table(self.columns, (*known, *empty))


def compare(runs: Sequence[RunSummary]) -> Table:
    """Return the table of runs.

    After path, state, last step and beginning come the keys of the configuration whose values
    differ, then the metrics that any run has. A key that a run lacks differs from one that it has,
    unless the run lacks the whole section: the configurations of networks and of vision-language
    models have different ones.
    """
    settings = _differing(runs)
    metrics = [name for name in _METRICS if any(name in run.metrics for run in runs)]
    rows = [
        (
            *(str(run.path), run.state, run.step, run.began or None),
            *(_cell(run.settings[key]) if key in run.settings else None for key in settings),
            *(run.metrics.get(name) for name in metrics),
        )
        for run in runs
    ]
    return Table((*FIRST_COLUMNS, *settings, *metrics), tuple(rows))


def _differing(runs: Sequence[RunSummary]) -> list[str]:
    keys = dict.fromkeys(key for run in runs for key in run.settings)
    sections = [{key.partition(".")[0] for key in run.settings} for run in runs]

    def values(key: str) -> set[str]:
        return {
            json.dumps(run.settings[key]) if key in run.settings else ""
            for run, of_run in zip(runs, sections, strict=True)
            if key.partition(".")[0] in of_run
        }

    return [key for key in keys if len(values(key)) > 1]


def _cell(value: Any) -> Cell:
    """Return a value of a configuration as a cell: numbers as they are, all else as text."""
    if type(value) in (int, float, str):
        return value
    return json.dumps(value, ensure_ascii=False)


def _order(cell: Cell) -> tuple[bool, float, str]:
    if isinstance(cell, str):
        return True, 0.0, cell
    return False, float(cell or 0), ""
