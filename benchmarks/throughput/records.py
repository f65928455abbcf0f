"""The record of a device: every measurement ever made on it, in one JSON file."""

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from benchmarks.throughput import summary
from benchmarks.throughput.cases import FASTEST, Case, Job
from elbow_core.errors import UserError
from elbow_core.files import atomic_file

ROOT = Path(__file__).parents[2]
KIND = "throughput"
SOURCES = {
    "jax": (
        "elbow_jax/models/*.py",
        "elbow_jax/runtime/compilation.py",
        "elbow_jax/networks.py",
        "elbow_jax/steps.py",
        "elbow_jax/runtime/startup.py",
    ),
    "torch": ("elbow_jax/porting/torch_twin.py", "benchmarks/throughput/torch_work.py"),
}


def source_digest(framework: str) -> str:
    """A digest of the code that a framework's figures depend on."""
    digest = hashlib.sha256()
    for pattern in SOURCES[framework]:
        for path in sorted(ROOT.glob(pattern)):
            digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


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


def read_all(directory: Path) -> list[dict[str, Any]]:
    """Read every device's record in a directory, but for those of quick looks."""
    found = []
    for path in sorted(directory.glob("*.json")):
        record = json.loads(path.read_text(encoding="utf-8"))
        if record.get("benchmark") == KIND and not record["quick"]:
            found.append(record)
    return found


def begin(path: Path, machine: dict[str, Any], quick: bool, fresh: bool) -> dict[str, Any]:
    """The record to add to: the file's, or a new one.

    Raises:
        UserError: the file's figures were taken with other versions or settings.
    """
    header = {"benchmark": KIND, "quick": quick, **machine}
    if fresh or not path.exists():
        return {**header, "rows": []}
    record = read(path)
    for name, value in header.items():
        if record[name] != value:
            raise UserError(
                f"{path}: {name} was {record[name]} and is {value}; --fresh begins the file anew"
            )
    return record


def missing(record: dict[str, Any], jobs: Iterable[Job]) -> list[Job]:
    """The jobs whose measurement the record lacks, or has of code that has changed since.

    A measurement in turns is also lacking where another of PyTorch's modes has become the fastest.
    """
    rows = record["rows"]
    digests = {framework: source_digest(framework) for framework in SOURCES}
    ran = {key(row): row.get("ran") for row in rows if row["source"] == digests[row["framework"]]}

    def lacks(job: Job) -> bool:
        if job.mode == FASTEST and ran.get(job.key) != summary.fastest(rows, job.case):
            return True
        return job.key not in ran

    return [job for job in jobs if lacks(job)]


def add(record: dict[str, Any], job: Job, figures: dict[str, Any]) -> None:
    """Put a measurement into a record, in place of an older one of the same job."""
    row = {
        **vars(job.case),
        "framework": job.framework,
        "mode": job.mode,
        "round": job.round,
        "source": source_digest(job.framework),
        **figures,
    }
    record["rows"] = [other for other in record["rows"] if key(other) != job.key] + [row]


def write(record: dict[str, Any], path: Path) -> None:
    """Write a record, a row a line."""
    rows = ",\n".join(json.dumps(_short(row)) for row in record["rows"])
    header = json.dumps({name: value for name, value in record.items() if name != "rows"}, indent=1)
    with atomic_file(path) as partial:
        partial.write_text(f'{header[:-2]},\n "rows": [\n{rows}\n]}}\n', encoding="utf-8")


def key(row: dict[str, Any]) -> tuple[Any, ...]:
    """The key of the job that a row is of."""
    case = Case(**{name: row[name] for name in Case.__dataclass_fields__})
    return Job(case, row["framework"], row["mode"], row["round"]).key


def _short(value: Any) -> Any:
    """Figures to five digits: a clock gives no more."""
    if isinstance(value, float):
        return float(f"{value:.5g}")
    if isinstance(value, list):
        return [_short(item) for item in value]
    if isinstance(value, dict):
        return {name: _short(item) for name, item in value.items()}
    return value
