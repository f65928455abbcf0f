"""Measure how many wrong labels a label audit shows first.

    python -m benchmarks.labels --out docs/performance/measurements [--seeds 5] [--folds 4]

For each seed: render and prepare synthetic elbows, flip 5 % of the labels at random (by a file of
corrections, as a reader's), cross-validate the small MobileNetV3 on the wrong labels, and rank the
labels by its out-of-fold scores. Prints the share of the flipped labels among the first 5, 10 and
20 % of the ranking, and writes it with its seeds to label_audit.json. Some three minutes a seed on
one core; finished steps are skipped when the command is given again.
"""

import argparse
import json
import os
import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from elbow_core.cli import run
from elbow_core.files import atomic_file, require_output_file
from elbow_core.tables import parse_whole_number

NAME = "label_audit"
FLIPPED = 0.05
WORK = Path("runs/labels")


def main(arguments: Sequence[str]) -> int:
    """Run the benchmark; return the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.labels",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="for the record")
    parser.add_argument("--seeds", default="5", metavar="N", help="number of seeds, from 0")
    parser.add_argument("--folds", default="4", metavar="N", help="of the cross-validation")
    parser.add_argument(
        "--work", type=Path, default=WORK, metavar="DIR", help=f"data and runs; default {WORK}"
    )
    options = parser.parse_args(arguments)
    try:
        seeds, folds = parse_whole_number(options.seeds), parse_whole_number(options.folds)
    except ValueError as error:
        parser.error(f"--seeds, --folds: {error}")
    if seeds < 1 or folds < 3:
        parser.error("--seeds must be at least 1 and --folds at least 3")
    path = options.out / f"{NAME}.json"
    require_output_file(path, "--out", mark=f'{{"name": "{NAME}"', make_folder=True)
    return measure(options.work, seeds, folds, path)


def measure(work: Path, seeds: int, folds: int, path: Path) -> int:
    """Measure every seed, print the table and write the record."""
    from benchmarks.labels.measurement import describe, measure_ranking

    found = []
    for seed in range(seeds):
        folder = work / f"seed_{seed}"
        scores, flipped = _cross_validate(folder, seed, folds)
        found.append(measure_ranking(seed, scores, flipped))
        print(describe(found[-1:]), flush=True)
    record = {
        "name": NAME,
        "command": f"python -m benchmarks.labels --seeds {seeds} --folds {folds}",
        "flipped": FLIPPED,
        "folds": folds,
        "seeds": found,
    }
    with atomic_file(path) as partial:
        partial.write_text(json.dumps(record) + "\n", encoding="utf-8")
    print(describe(found))
    return 0


def _cross_validate(folder: Path, seed: int, folds: int) -> tuple[Path, frozenset[str]]:
    """Return the out-of-fold predictions on flipped labels, and the ids of those."""
    from benchmarks.labels.measurement import write_flips

    raw, corrections = folder / "raw", folder / "flips.csv"
    data = ["--config", "configs/labels/data.yaml", "--root", str(raw), "--source.seed"]
    data += [str(7000 + seed), "--out"]
    _run("elbow_core.prepare", *data, str(folder / "true"))
    flipped = write_flips(folder / "true", corrections, FLIPPED, seed)
    flips = ["--corrections", str(corrections)]
    _run("elbow_core.prepare", *data, str(folder / "flipped"), *flips)
    training = ["--config", "configs/labels/train.yaml", "--data.prepared", str(folder / "flipped")]
    training += ["--run", str(folder / "run"), "--seed", str(seed)]
    _run("elbow_jax.crossval", *training, "--folds", str(folds))
    return folder / "run" / "predictions_out_of_fold.csv", flipped


def _run(module: str, *arguments: str) -> None:
    command = [sys.executable, "-m", module, *arguments]
    print(f"$ python {shlex.join(command[1:])}", flush=True)
    one_core = {"XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false", "OMP_NUM_THREADS": "1"}
    ended = subprocess.run(command, env=one_core | os.environ, check=False)
    if ended.returncode:
        sys.exit(ended.returncode)


if __name__ == "__main__":
    run(main)
