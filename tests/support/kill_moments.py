"""Kill a command at every call that changes the disk, one process for each, and run it again.

    python -m tests.support.kill_moments '{"module": M, "arguments": [...], "outputs": [...],
        "preload": [...], "folder": F, "work": W}'

Each process works in a copy of F at W, so that all paths are equal. The calls are counted in a
first, complete run. After each kill every output must be as before or as after that run, and the
next run must leave the same files as it, and nothing else. Prints the number of moments. A process
is forked from this one, which has imported the command.
"""

import importlib
import json
import os
import shutil
import signal
import sys
import traceback
from pathlib import Path
from typing import Any

EVENTS = ("os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.truncate", "os.chmod")
_calls = 0


def main() -> None:
    """Kill at every moment and check."""
    specification = json.loads(sys.argv[1])
    for name in [specification["module"], *specification["preload"]]:
        importlib.import_module(name)
    folder, work = Path(specification["folder"]), Path(specification["work"])
    outputs = specification["outputs"]
    before = {name: snapshot(folder / name) for name in outputs}
    start_anew(folder, work)
    moments = run(specification, 0)
    complete = snapshot(work)
    after = {name: snapshot(work / name) for name in outputs}
    assert moments is not None, "the command failed"
    assert before != after, "the command changes nothing"
    for moment in range(1, moments + 1):
        start_anew(folder, work)
        assert run(specification, moment) is None, f"moment {moment}: not killed"
        for name in outputs:
            found = snapshot(work / name)
            assert found in (before[name], after[name]), f"moment {moment}: {name} is neither"
        assert run(specification, 0) is not None, f"moment {moment}: the next run failed"
        assert snapshot(work) == complete, f"moment {moment}: the next run left something else"
    print(moments)


def start_anew(folder: Path, work: Path) -> None:
    """Make ``work`` a copy of ``folder``."""
    shutil.rmtree(work, ignore_errors=True)
    shutil.copytree(folder, work, symlinks=True)


def snapshot(path: Path) -> Any:
    """Return the content of a file or folder; None if it is missing."""
    if path.is_dir():
        return {entry.name: snapshot(entry) for entry in path.iterdir()}
    return path.read_bytes() if path.exists() else None


def run(specification: dict[str, Any], moment: int) -> int | None:
    """Run the command in a process that is killed at a moment; return its number of moments.

    With ``moment`` 0 it is not killed. None if it was killed or failed.
    """
    reading, writing = os.pipe()
    process = os.fork()
    if process == 0:
        try:
            os.chdir(specification["work"])
            count_moments(moment)
            with Path("/dev/null").open("w") as nowhere:
                os.dup2(nowhere.fileno(), 1)
            sys.argv = ["command", *specification["arguments"]]
            module = sys.modules[specification["module"]]
            status = module.main(sys.argv[1:])
            calls = _calls
            if status == 0:
                os.write(writing, str(calls).encode())
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as file:
        text = file.read()
    os.waitpid(process, 0)
    return int(text) if text else None


def count_moments(moment: int) -> None:
    """Count this process's calls that change the disk, and kill it before the given one."""

    def count() -> None:
        global _calls
        _calls += 1
        if _calls == moment:
            os.kill(os.getpid(), signal.SIGKILL)

    def audit(event: str, arguments: tuple[Any, ...]) -> None:
        if event in EVENTS or (event == "open" and writes(arguments[2])):
            count()

    def sync(descriptor: int) -> None:
        count()
        fsync(descriptor)

    def exchange(first: Path, second: Path) -> bool:
        count()
        return exchange_names(first, second)

    from elbow_core import files

    fsync, exchange_names = os.fsync, files.exchange
    os.fsync, files.exchange = sync, exchange
    sys.addaudithook(audit)


def writes(flags: Any) -> bool:
    """Return whether a file is opened to be written."""
    return isinstance(flags, int) and flags & os.O_ACCMODE != os.O_RDONLY


if __name__ == "__main__":
    main()
