"""Run one command many times, in forks of a process that has imported it already.

    python -m tests.reliability.fork_server MODULE

Each line of standard input is a request, in JSON: the command's ``arguments``, the ``folder`` in
which it runs, a file for its ``output``, ``at``: the number of the change of a file below the
folder at which it is killed (0: at none), ``seconds``: after which it is killed, or null. The
answer is a line too: the exit ``status`` (negative: a signal) and the ``changes``, one "kind /path"
each.

The environment sets LD_PRELOAD to the compiled `kill_points.c`.
"""

import ctypes
import importlib
import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any


def main() -> None:
    """Answer requests until standard input ends."""
    name = sys.argv[1]
    module = importlib.import_module(name)
    # Names that are imported when they are used: a fork would import them each time anew.
    for heavy in os.environ.get("IMPORTED", "").split():
        importlib.import_module(heavy)
    shim = ctypes.CDLL(None)
    shim.change_log.restype = ctypes.c_char_p
    shim.changes.restype = ctypes.c_long
    assert len(list(Path("/proc/self/task").iterdir())) == 1, "a fork keeps one thread only"
    for line in sys.stdin:
        request = json.loads(line)
        pid = os.fork()
        if not pid:
            _run(module, name, shim, request)
        if request["seconds"] is not None:
            time.sleep(request["seconds"])
            os.kill(pid, signal.SIGKILL)  # one that has ended is not yet waited for
        _, status = os.waitpid(pid, 0)
        log = shim.change_log().decode(errors="replace").splitlines()
        answer = {"status": os.waitstatus_to_exitcode(status), "changes": log[: shim.changes()]}
        print(json.dumps(answer), flush=True)


def _run(module: Any, name: str, shim: ctypes.CDLL, request: dict[str, Any]) -> None:
    from elbow_core import cli

    os.close(0)
    output = os.open(request["output"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.chdir(request["folder"])
    sys.argv = [name, *request["arguments"]]
    shim.arm(request["folder"].encode(), ctypes.c_long(request["at"]))
    cli.run(module.main)


if __name__ == "__main__":
    main()
