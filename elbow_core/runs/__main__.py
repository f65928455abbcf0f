"""List runs: what differs between their configurations, their validation and test metrics.

    python -m elbow_core.runs FOLDER... [--sort COLUMN [--descending]] [--csv F] [--html F]

A run is a folder that `elbow_jax.train` or `vlm_torch.finetune` has written; all below each FOLDER
are listed. Validation metrics are those of the epoch whose weights a run releases, test metrics
those of its report_test. Lines on standard error name and count the folders that could not be read
and those that hold no run.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from elbow_core.cli import run
from elbow_core.errors import UserError
from elbow_core.files import atomic_file, require_output_file
from elbow_core.runs.comparison import (
    CSV_MARK,
    PAGE_MARK,
    FoundRuns,
    compare,
    find_runs,
    page_of,
    text_of,
    write_csv,
)


def main(arguments: Sequence[str]) -> int:
    """Command line; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m elbow_core.runs",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("folders", type=Path, nargs="+", metavar="FOLDER")
    parser.add_argument("--sort", metavar="COLUMN", help="order of the rows; default: by path")
    parser.add_argument("--descending", action="store_true", help="largest first, with --sort")
    parser.add_argument("--csv", type=Path, metavar="FILE", help="also write the table as CSV")
    parser.add_argument("--html", type=Path, metavar="FILE", help="also write it as a page")
    options = parser.parse_args(arguments)
    if options.descending and options.sort is None:
        parser.error("--descending: needs --sort COLUMN")
    for option, path, mark in (
        ("--csv", options.csv, CSV_MARK),
        ("--html", options.html, PAGE_MARK),
    ):
        if path is not None:
            require_output_file(path, option, mark=mark)
    found = find_runs(options.folders)
    left_out = _left_out(found)
    for line in left_out:
        print(line, file=sys.stderr)
    if not found.runs:
        raise UserError(f"{', '.join(map(str, options.folders))}: holds no run that can be read")
    table = compare(found.runs)
    if options.sort is not None:
        table = table.sorted_by(options.sort, options.descending)
    print(text_of(table))
    if options.csv is not None:
        write_csv(options.csv, table)
    if options.html is not None:
        with atomic_file(options.html) as partial:
            partial.write_text(page_of(table, left_out), encoding="utf-8")
    return 0


def _left_out(found: FoundRuns) -> list[str]:
    """Return a line for each file or folder that is not in the table, and one with their number."""
    problems = [problem for summary in found.runs for problem in summary.problems]
    foreign = [f"{folder}: holds no run" for folder in found.foreign]
    if not (problems or found.damaged or foreign):
        return []
    counts = (
        f"left out: {len(found.damaged)} damaged runs, {len(problems)} damaged files of runs, "
        f"{len(foreign)} folders without a run"
    )
    return [*found.damaged, *problems, *foreign, counts]


if __name__ == "__main__":
    run(main)
