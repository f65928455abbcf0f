"""Measure what the input gate of a network that knows hands flags.

    python -m benchmarks.gate --root DATA --out docs/performance/measurements

DATA is the download of FracAtlas, unpacked. Prepares its hands, trains the small MobileNetV3 on
them, and lets `elbow_jax.predict` score images of several kinds: hands of the test split, other
body parts, hands inverted, photographs (those that come with scikit-image and scikit-learn), noise
and blank images. Prints the share that is flagged of each kind, and writes it to input_gate.json.
Some ten minutes on two cores; finished steps are skipped when the command is given again.
"""

import argparse
import json
import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from elbow_core.cli import run
from elbow_core.files import atomic_file, require_output_file

NAME = "input_gate"
WORK = Path("runs/gate")


def main(arguments: Sequence[str]) -> int:
    """Run the benchmark; return the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.gate",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--root", type=Path, required=True, metavar="DATA", help="FracAtlas")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="for the record")
    parser.add_argument(
        "--work", type=Path, default=WORK, metavar="DIR", help=f"data and runs; default {WORK}"
    )
    options = parser.parse_args(arguments)
    path = options.out / f"{NAME}.json"
    require_output_file(path, "--out", mark=f'{{"name": "{NAME}"', make_folder=True)

    from benchmarks.gate.images import write_kinds
    from benchmarks.gate.measurement import count_flagged, describe

    prepared, trained = options.work / "hands", options.work / "run"
    root = ["--config", "configs/fracatlas/data.yaml", "--root", str(options.root)]
    hands = ["--source.parts", "[hand]", "--out", str(prepared)]
    _run("elbow_core.prepare", *root, *hands)
    network = ["--config", "configs/fracatlas/folds_mobilenet.yaml", "--run", str(trained)]
    _run("elbow_jax.train", *network, "--data.prepared", str(prepared), "--resume")
    kinds = write_kinds(options.root, prepared, options.work / "images")
    found = []
    for kind, listed in kinds.items():
        table = options.work / f"{listed.stem}.csv"
        scoring = ["--model", str(trained / "model"), f"@{listed}", "--out", str(table)]
        _run("elbow_jax.predict", *scoring, allowed=(0, 2))  # 2: some images are rejected
        found.append(count_flagged(kind, table))
    record = {"name": NAME, "command": "python -m benchmarks.gate", "kinds": found}
    with atomic_file(path) as partial:
        partial.write_text(json.dumps(record) + "\n", encoding="utf-8")
    print(describe(found))
    return 0


def _run(module: str, *arguments: str, allowed: Sequence[int] = (0,)) -> None:
    command = [sys.executable, "-m", module, *arguments]
    print(f"$ python {shlex.join(command[1:])}", flush=True)
    ended = subprocess.run(command, check=False)
    if ended.returncode not in allowed:
        sys.exit(ended.returncode)


if __name__ == "__main__":
    run(main)
