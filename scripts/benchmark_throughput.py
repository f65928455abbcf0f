"""Measure JAX against PyTorch on the same networks, sizes, precision and work.

    python scripts/benchmark_throughput.py

Takes the GPU where JAX has one, else the CPU. Each measurement is a process of its own; a run that
is broken off goes on where it was, and `--part`, `--network`, `--size` and `--batch` choose a share
of the work, which joins what is in the file. A whole run on two cores takes hours; `--quick`, with
small networks, minutes.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from throughput import cases, device, page, plots, records

from elbow_core.atomic import replacing
from elbow_core.cli import run
from elbow_core.errors import UserError

SCRIPTS = Path(__file__).parent
ROOT = SCRIPTS.parent
DEFAULT_OUT = ROOT / "docs" / "benchmarks"


def main(arguments: Sequence[str]) -> int:
    """Measure what is asked for, then write the record, its table and its plot."""
    options = _parse(arguments)
    if options.table:
        for changed in page.refresh(ROOT, DEFAULT_OUT):
            print(changed)
        return 0
    machine = device.describe()
    selection = cases.Selection(
        device=machine["device"],
        parts=options.part,
        networks=options.network,
        sizes=options.size or ((64,) if options.quick else cases.SIZES),
        batches=options.batch or ((4,) if machine["device"] == "cpu" else (32,)),
        scale_batches=options.batch or cases.SCALE_BATCHES,
        modes=options.mode,
        rounds=options.rounds or (1 if options.quick else 3),
        quick=options.quick,
    )
    name = device.file_name(machine["name"]) + "_quick" * options.quick
    path = options.out / f"{name}.json"
    options.out.mkdir(parents=True, exist_ok=True)
    record = records.begin(path, machine, options.quick, options.fresh)
    with tempfile.TemporaryDirectory(prefix="throughput_") as work:
        seconds = options.seconds or (0.5 if options.quick else 6.0)
        _measure(record, path, selection, seconds, Path(work))
    with replacing(path.with_suffix(".md")) as making:
        making.write_text(page.document(record), encoding="utf-8")
    drawn = plots.draw(record)
    if drawn is not None:
        plots.save(drawn, path.with_suffix(".png"))
    print(path.with_suffix(".md"))
    return 0


def _measure(
    record: dict[str, Any],
    path: Path,
    selection: cases.Selection,
    seconds: float,
    work: Path,
) -> None:
    wanted = records.missing(record, cases.jobs(selection))
    absent: dict[str, str] = {}
    for number, job in enumerate(wanted, start=1):
        load = os.getloadavg()[0]
        if job.framework in absent:
            figures = {"note": absent[job.framework]}
        else:
            figures = measure(job, selection.device, seconds, work)
        note = figures.get("note", "")
        if note.endswith("is not installed") and job.case.part != "end_to_end":
            absent[job.framework] = note
        records.add(record, job, figures | {"load": load})
        records.write(record, path)
        print(f"[{number}/{len(wanted)}] {_line(job, figures)}", flush=True)


def measure(job: cases.Job, on: str, seconds: float, work: Path) -> dict[str, Any]:
    """Run one job in a process of its own and return its figures, or a `note` that says why not.

    `work` holds the compilation caches: those of JAX and of torch both start empty, so that a
    case's first process compiles and the later ones read what it kept.
    """
    environment = dict(os.environ)
    environment["PYTHONPATH"] = os.pathsep.join(
        [str(SCRIPTS), str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    )
    caches = work / "caches"
    if job.case.part == "cold_start":
        caches = work / f"cold_{job.case.name}_{job.framework}"
        if job.mode != "cache_filled":
            shutil.rmtree(caches, ignore_errors=True)
    environment["JAX_COMPILATION_CACHE_DIR"] = str(caches / "jax")
    environment["TORCHINDUCTOR_CACHE_DIR"] = str(caches / "torch")
    if job.mode == "cache_off":
        environment["JAX_ENABLE_COMPILATION_CACHE"] = "false"
    if on == "cpu" and job.case.devices > 1:
        flag = f"--xla_force_host_platform_device_count={job.case.devices}"
        environment["XLA_FLAGS"] = " ".join(filter(None, [os.environ.get("XLA_FLAGS"), flag]))
    given = {
        "case": asdict(job.case),
        "framework": job.framework,
        "mode": job.mode,
        "device": on,
        "seconds": seconds,
        "directory": str(work),
        "spawned": time.time(),
    }
    done = subprocess.run(
        [sys.executable, "-m", "throughput.worker", json.dumps(given)],
        check=False,
        capture_output=True,
        text=True,
        env=environment,
    )
    if done.returncode == -9:
        return {"note": "out of memory (the system ended the process)"}
    if done.returncode:
        last = (done.stderr.strip().splitlines() or [f"status {done.returncode}"])[-1]
        return {"note": f"failed: {last[:200]}"}
    return json.loads(done.stdout.splitlines()[-1])


def _line(job: cases.Job, figures: dict[str, Any]) -> str:
    case = job.case
    what = f"{case.part} {case.name} {case.work} {case.size} px, batch {case.batch}"
    what += f", {case.devices} devices" * (case.devices > 1)
    who = f"{job.framework} {job.mode}, round {job.round + 1}"
    if "note" in figures:
        return f"{what}: {who}: {figures['note']}"
    times = sorted(figures["seconds"] if "seconds" in figures else [figures["first_step_s"]])
    return f"{what}: {who}: {times[len(times) // 2] * 1e3:.4g} ms"


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python scripts/benchmark_throughput.py",
        description=(__doc__ or "").partition("\n")[0],
    )
    parser.add_argument("--out", type=Path, default=DEFAULT_OUT, help="folder to write to")
    parser.add_argument("--part", nargs="+", choices=cases.PARTS, default=cases.PARTS)
    parser.add_argument("--network", nargs="+", choices=cases.NETWORKS, default=cases.NETWORKS)
    parser.add_argument("--size", nargs="+", type=_positive, help="pixels a side")
    parser.add_argument("--batch", nargs="+", type=_positive, help="images in a step")
    known = ("jit", *dict.fromkeys(mode for modes in cases.TORCH_MODES.values() for mode in modes))
    parser.add_argument("--mode", nargs="+", choices=known, help="contenders (default: all)")
    parser.add_argument("--rounds", type=_positive, help="turns of each contender (3)")
    parser.add_argument("--seconds", type=float, help="timed in each measurement (6)")
    parser.add_argument(
        "--quick", action="store_true", help="small networks, into files of its own"
    )
    parser.add_argument("--fresh", action="store_true", help="forget the figures of the file")
    parser.add_argument(
        "--table", action="store_true", help="only write the documents' tables anew"
    )
    options = parser.parse_args(arguments)
    if options.seconds is not None and options.seconds <= 0:
        raise UserError(f"--seconds: {options.seconds} is not above 0")
    return options


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{value} is below 1")
    return value


if __name__ == "__main__":
    run(main)
