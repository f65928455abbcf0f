"""A device's record: all its measurements in one JSON file."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from benchmarks.throughput.cases import FASTEST, Case, Job
from benchmarks.throughput.results import summary
from benchmarks.throughput.results.sources import SOURCES, source_digest
from elbow_core.errors import UserError
from elbow_core.files import atomic_file

KIND = "throughput"


def read(path: Path) -> dict[str, Any]:
    """Read a device's record.

    Raises:
        UserError: the file is not a record of this benchmark.
    """
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise UserError(f"{path}: not JSON ({error}); move it away and measure again") from None
    if not isinstance(record, dict) or record.get("benchmark") != KIND:
        raise UserError(f"{path}: not a record of this benchmark; choose another --out")
    return record


def read_all(directory: Path) -> dict[Path, dict[str, Any]]:
    """Read the record of every device in a directory, without those of quick runs."""
    found = {}
    for path in sorted(directory.glob("*.json")):
        record = json.loads(path.read_text(encoding="utf-8"))
        if record.get("benchmark") == KIND and not record["quick"]:
            found[path] = record
    return found


def open_record(path: Path, machine: dict[str, Any], quick: bool, fresh: bool) -> dict[str, Any]:
    """Return the file's record, or an empty one where there is no file or `fresh` is set.

    Raises:
        UserError: the file's rows were measured with other versions or settings.
    """
    header = {"benchmark": KIND, "quick": quick, **machine}
    if fresh or not path.exists():
        return {**header, "rows": []}
    record = read(path)
    for name, value in header.items():
        if record[name] != value:
            raise UserError(
                f"{path}: {name} was {record[name]} and is {value}; --fresh starts the file anew"
            )
    return record


def missing_jobs(record: dict[str, Any], jobs: Iterable[Job]) -> list[Job]:
    """The jobs that the record has no row of, or only one of code that has changed since.

    A row of interleaved turns also counts as missing where another of PyTorch's modes is now the
    fastest.
    """
    rows = record["rows"]
    digests = {framework: source_digest(framework) for framework in SOURCES}
    modes = {
        row_key(row): row.get("ran") for row in rows if row["source"] == digests[row["framework"]]
    }

    def is_missing(job: Job) -> bool:
        if job.mode == FASTEST and modes.get(job.key) != summary.fastest_mode(rows, job.case):
            return True
        return job.key not in modes

    return [job for job in jobs if is_missing(job)]


def add_row(record: dict[str, Any], job: Job, metrics: dict[str, Any]) -> None:
    """Add a measurement to a record; it replaces an older one of the same job."""
    row = {
        **vars(job.case),
        "framework": job.framework,
        "mode": job.mode,
        "round": job.round,
        "source": source_digest(job.framework),
        **metrics,
    }
    record["rows"] = [other for other in record["rows"] if row_key(other) != job.key] + [row]


def write(record: dict[str, Any], path: Path) -> None:
    """Write a record as JSON, one row a line."""
    rows = ",\n".join(json.dumps(_rounded(row)) for row in record["rows"])
    header = json.dumps({name: value for name, value in record.items() if name != "rows"}, indent=1)
    with atomic_file(path) as partial:
        partial.write_text(f'{header[:-2]},\n "rows": [\n{rows}\n]}}\n', encoding="utf-8")


def row_key(row: dict[str, Any]) -> tuple[Any, ...]:
    """The key of a row's job."""
    case = Case(**{name: row[name] for name in Case.__dataclass_fields__})
    return Job(case, row["framework"], row["mode"], row["round"]).key


def _rounded(value: Any) -> Any:
    """Round floats to five significant digits; timers are no more precise."""
    if isinstance(value, float):
        return float(f"{value:.5g}")
    if isinstance(value, list):
        return [_rounded(item) for item in value]
    if isinstance(value, dict):
        return {name: _rounded(item) for name, item in value.items()}
    return value
