"""The places that a run names in its configuration, found from any working directory.

Relative paths of a configuration count from the working directory of the command that began the
run, or resumed it last. That directory is in ``local.json``, of older runs in ``run.json``.
"""

import sys
from pathlib import Path

from elbow_core.errors import ConfigError
from elbow_core.runs.directory import RECORD
from elbow_core.runs.local_places import read_starts
from elbow_core.runs.record import data_fingerprint, read_record


def locate(run: Path, path: Path) -> Path:
    """Return the place of ``path``, as named in the configuration of ``run``.

    It counts from the recorded directory. If it is not there but is in the present working
    directory, that place is returned and a line on standard error says so.
    """
    directory = _working_directory(run)
    if path.is_absolute() or directory is None or Path(directory) == Path.cwd():
        return path
    recorded = Path(directory) / path
    if recorded.exists() or not path.exists():
        return recorded
    print(
        f"{run}: {recorded} no longer exists; {path} in the working directory is used",
        file=sys.stderr,
    )
    return path


def find_data(run: Path, prepared: Path, given: Path | None) -> Path:
    """Return the prepared directory of a run: ``given``, or where the configuration says.

    Raises:
        ConfigError: if it is not there.
    """
    directory = locate(run, prepared) if given is None else given
    if not directory.is_dir():
        advice = "give its place with --data DIR" if given is None else "give another --data"
        raise ConfigError(f"{directory.absolute()}: the data of {run} are not there; {advice}")
    return directory


def require_data(run: Path, directory: Path) -> None:
    """Check that a prepared directory holds the data that a run began with.

    Raises:
        ConfigError: if its manifest or its archive differs, or the run does not record its data.
    """
    fingerprint = read_record(run).get("data_fingerprint")
    if not isinstance(fingerprint, str):
        raise ConfigError(
            f"{run / RECORD}: does not say on which data the run began (data_fingerprint is "
            "missing); restore it"
        )
    if fingerprint != data_fingerprint(directory):
        raise ConfigError(
            f"{directory}: is not the data that {run} began with: its manifest or its archive "
            "differs, and images may have changed between the splits"
        )


def _working_directory(run: Path) -> str | None:
    record = read_record(run) if (run / RECORD).exists() else {}
    beginnings = [record, *record.get("resumed", []), *read_starts(run)]
    found = [entry["working_directory"] for entry in beginnings if "working_directory" in entry]
    return found[-1] if found else None
