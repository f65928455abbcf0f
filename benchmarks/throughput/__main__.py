"""Measure JAX against PyTorch on the same networks, sizes, precision and work.

    python -m benchmarks.throughput

Takes the GPU where JAX has one, else the CPU. Each measurement is a process of its own; a run that
is broken off goes on where it was, and `--part`, `--network`, `--size` and `--batch` choose a share
of the work, which joins what is in the file. A whole run on two cores takes hours; `--quick`, with
small networks, minutes.
"""

import argparse
import itertools
import os
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.throughput import cases, device, page, plots, processes, records, summary
from elbow_core.cli import run
from elbow_core.errors import UserError
from elbow_core.files import atomic_file

ROOT = Path(__file__).parents[2]
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
    with atomic_file(path.with_suffix(".md")) as partial:
        partial.write_text(page.document(record), encoding="utf-8")
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
    absent: dict[str, str] = {}
    for part, jobs in itertools.groupby(cases.jobs(selection), key=lambda job: job.case.part):
        # Only now: turns are against the mode that the parts before have found to be the fastest.
        wanted = records.missing(record, jobs)
        groups = [list(group) for _, group in itertools.groupby(wanted, key=_together)]
        for number, group in enumerate(groups, start=1):
            done = _measured(record, part, group, absent, selection.device, seconds, work)
            for job, figures in done:
                records.add(record, job, figures)
                print(f"[{number}/{len(groups)}] {_line(job, figures)}", flush=True)
            records.write(record, path)


def _measured(
    record: dict[str, Any],
    part: str,
    jobs: list[cases.Job],
    absent: dict[str, str],
    on: str,
    seconds: float,
    work: Path,
) -> list[tuple[cases.Job, dict[str, Any]]]:
    """Measure what is measured together; `absent` has the frameworks that are not installed."""
    load = os.getloadavg()[0]
    if part == "turns":
        mode = summary.fastest(record["rows"], jobs[0].case)
        if mode is None:
            print(f"{_what(jobs[0].case)}: no turns, as no mode of PyTorch was measured")
            return []
        jobs, measured = _duel(jobs[0], mode, on, seconds, work)
    elif jobs[0].framework in absent:
        measured = [{"note": absent[jobs[0].framework]}]
    else:
        measured = [processes.measure(jobs[0], on, seconds, work)]
    for job, figures in zip(jobs, measured, strict=True):
        note = figures.get("note", "")
        if note.endswith("is not installed") and part != "end_to_end":
            absent[job.framework] = note
    return [(job, figures | {"load": load}) for job, figures in zip(jobs, measured, strict=True)]


def _together(job: cases.Job) -> tuple[Any, ...]:
    """What jobs share that are measured together: in turns, a case and a round."""
    whose = (job.case, job.round) if job.case.part == "turns" else job.key
    return (job.case.part, whose)


def _duel(
    wanted: cases.Job, mode: str, on: str, seconds: float, work: Path
) -> tuple[list[cases.Job], list[dict[str, Any]]]:
    """Measure JAX and a mode of PyTorch in turns."""
    jobs = cases.duel(wanted.case, wanted.round)
    run = [replace(job, mode=mode) if job.framework == "torch" else job for job in jobs]
    measured = processes.measure_in_turns(run, on, seconds, work)
    return jobs, [figures | {"ran": job.mode} for job, figures in zip(run, measured, strict=True)]


def _line(job: cases.Job, figures: dict[str, Any]) -> str:
    what = _what(job.case)
    who = f"{job.framework} {job.mode}, round {job.round + 1}"
    if "note" in figures:
        return f"{what}: {who}: {figures['note']}"
    times = sorted(figures["seconds"] if "seconds" in figures else [figures["first_step_s"]])
    return f"{what}: {who}: {times[len(times) // 2] * 1e3:.4g} ms"


def _what(case: cases.Case) -> str:
    what = f"{case.part} {case.name} {case.work} {case.size} px, batch {case.batch}"
    return what + f", {case.devices} devices" * (case.devices > 1)


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.throughput",
        description=(__doc__ or "").partition("\n")[0],
    )
    parser.add_argument("--out", type=Path, default=DEFAULT_OUT, help="folder to write to")
    parser.add_argument("--part", nargs="+", choices=cases.PARTS, default=cases.PARTS)
    parser.add_argument("--network", nargs="+", choices=cases.NETWORKS, default=cases.NETWORKS)
    parser.add_argument("--size", nargs="+", type=_positive, help="pixels a side")
    parser.add_argument("--batch", nargs="+", type=_positive, help="images in a step")
    known = ("jit", *dict.fromkeys(mode for modes in cases.TORCH_MODES.values() for mode in modes))
    parser.add_argument("--mode", nargs="+", choices=known, help="contenders (default: all)")
    parser.add_argument("--rounds", type=_positive, help="processes of each contender (3)")
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
