"""Measure JAX against PyTorch on the same networks, sizes, precision and work.

    python -m benchmarks.throughput

Uses the GPU where JAX has one, else the CPU. Each measurement runs in its own process. An
interrupted run resumes when it is started again. `--part`, `--network`, `--size` and `--batch`
select measurements, which are added to those in the file. A whole run on two cores takes hours;
`--quick`, with small networks, minutes.
"""

import argparse
import itertools
import os
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.throughput import cases, device
from benchmarks.throughput.measuring import measure, measure_interleaved, measure_side_by_side
from benchmarks.throughput.results import page, records, summary
from elbow_core.cli import run
from elbow_core.errors import UserError
from elbow_core.files import atomic_file, require_output_file

ROOT = Path(__file__).parents[2]
DEFAULT_OUT = ROOT / "docs" / "performance" / "measurements"


def main(arguments: Sequence[str]) -> int:
    """Measure what is selected, then write the record, its page and its figure."""
    options = _parse(arguments)
    if options.table:
        for changed in page.refresh(ROOT, DEFAULT_OUT):
            print(changed)
        for path, record in records.read_all(DEFAULT_OUT).items():
            _plot(record, path.with_suffix(".png"))
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
    for suffix, mark in ((".json", '{\n "benchmark"'), (".md", "# Throughput on "), (".png", "")):
        require_output_file(path.with_suffix(suffix), "--out", mark=mark, make_folder=True)
    record = records.open_record(path, machine, options.quick, options.fresh)
    with tempfile.TemporaryDirectory(prefix="throughput_") as directory:
        seconds = options.seconds or (0.5 if options.quick else 6.0)
        measuring = _Run(record, path, selection.device, seconds, Path(directory))
        if options.side_by_side > 1:
            measuring.measure_side_by_side(selection, options.side_by_side)
        else:
            measuring.measure(selection)
    with atomic_file(path.with_suffix(".md")) as partial:
        partial.write_text(page.document(record), encoding="utf-8")
    _plot(record, path.with_suffix(".png"))
    print(path.with_suffix(".md"))
    return 0


def _plot(record: dict[str, Any], path: Path) -> None:
    from benchmarks.throughput.results import plots  # matplotlib, which --help does without

    figure = plots.draw(record)
    if figure is not None:
        plots.save(figure, path)


class _Run:
    """Measures jobs and adds their rows to a record, which is written after each measurement."""

    def __init__(
        self, record: dict[str, Any], path: Path, device: str, seconds: float, directory: Path
    ):
        self.record = record
        self.path = path
        self.device = device
        self.seconds = seconds
        self.directory = directory
        self.not_installed: dict[str, str] = {}
        """Frameworks that are not installed, and the note that says so."""

    def measure(self, selection: cases.Selection) -> None:
        """Measure the selected jobs that the record lacks."""
        planned = cases.plan_jobs(selection)
        for part, jobs in itertools.groupby(planned, key=lambda job: job.case.part):
            # Part by part: the rows of earlier parts decide which mode the turns are against.
            missing = records.missing_jobs(self.record, jobs)
            groups = [list(group) for _, group in itertools.groupby(missing, key=_group_key)]
            for number, group in enumerate(groups, start=1):
                for job, metrics in self._measure_group(part, group):
                    records.add_row(self.record, job, metrics)
                    print(f"[{number}/{len(groups)}] {_progress(job, metrics)}", flush=True)
                records.write(self.record, self.path)

    def measure_side_by_side(self, selection: cases.Selection, parallel: int) -> None:
        """Measure as `measure` does; up to `parallel` processes compile at the same time."""
        jobs = list(cases.plan_jobs(selection))
        missing = records.missing_jobs(self.record, jobs)
        measured = measure_side_by_side(
            missing, self.device, self.seconds, self.directory, parallel
        )
        for number, (job, metrics) in enumerate(measured, start=1):
            shared = {"load": os.getloadavg()[0], "side_by_side": parallel}
            records.add_row(self.record, job, metrics | shared)
            records.write(self.record, self.path)
            print(f"[{number}/{len(missing)}] {_progress(job, metrics)}", flush=True)

    def _measure_group(
        self, part: str, jobs: list[cases.Job]
    ) -> list[tuple[cases.Job, dict[str, Any]]]:
        """Measure one job, or the two jobs of a round of turns."""
        load = os.getloadavg()[0]
        note = self.not_installed.get(jobs[0].framework)
        if part == "turns":
            mode = summary.fastest_mode(self.record["rows"], jobs[0].case)
            if mode is None:
                print(f"{_case_name(jobs[0].case)}: no turns, as no mode of PyTorch was measured")
                return []
            jobs, measured = self._measure_turns(jobs[0], mode)
        elif note is not None:
            measured = [{"note": note}]
        else:
            measured = [measure(jobs[0], self.device, self.seconds, self.directory)]
        for job, metrics in zip(jobs, measured, strict=True):
            note = metrics.get("note", "")
            if note.endswith("is not installed") and part != "end_to_end":
                self.not_installed[job.framework] = note
        rows = [metrics | {"load": load} for metrics in measured]
        return list(zip(jobs, rows, strict=True))

    def _measure_turns(
        self, missing: cases.Job, mode: str
    ) -> tuple[list[cases.Job], list[dict[str, Any]]]:
        """Measure JAX and a mode of PyTorch in alternating turns."""
        jobs = cases.interleaved_jobs(missing.case, missing.round)
        run = [replace(job, mode=mode) if job.framework == "torch" else job for job in jobs]
        measured = measure_interleaved(run, self.device, self.seconds, self.directory)
        return jobs, [
            metrics | {"ran": job.mode} for job, metrics in zip(run, measured, strict=True)
        ]


def _group_key(job: cases.Job) -> tuple[Any, ...]:
    """Equal for jobs that are measured together: in turns, those of one case and round."""
    if job.case.part == "turns":
        return (job.case, job.round)
    return job.key


def _progress(job: cases.Job, metrics: dict[str, Any]) -> str:
    text = f"{_case_name(job.case)}: {job.framework} {job.mode}, round {job.round + 1}"
    if "note" in metrics:
        return f"{text}: {metrics['note']}"
    times = sorted(metrics["seconds"] if "seconds" in metrics else [metrics["first_step_s"]])
    return f"{text}: {times[len(times) // 2] * 1e3:.4g} ms"


def _case_name(case: cases.Case) -> str:
    name = f"{case.part} {case.name} {case.work} {case.size} px, batch {case.batch}"
    return name + f", {case.devices} devices" * (case.devices > 1)


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
    parser.add_argument("--mode", nargs="+", choices=known, help="modes to measure (default: all)")
    parser.add_argument("--rounds", type=_positive, help="processes for each mode (3)")
    parser.add_argument("--seconds", type=float, help="timed in each process (6)")
    parser.add_argument(
        "--side-by-side",
        type=_positive,
        default=1,
        metavar="N",
        help="processes that compile at once; each is timed while the others are stopped (1)",
    )
    parser.add_argument("--quick", action="store_true", help="small networks, in separate files")
    parser.add_argument("--fresh", action="store_true", help="discard the rows of the file")
    parser.add_argument(
        "--table", action="store_true", help="rewrite the documents from the records and stop"
    )
    options = parser.parse_args(arguments)
    if options.side_by_side > 1 and not set(options.part) <= set(cases.TIMED_ALONE):
        raise UserError(f"--side-by-side: only for --part {' '.join(cases.TIMED_ALONE)}")
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
