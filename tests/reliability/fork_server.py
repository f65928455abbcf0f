"""Run one command many times, in forks of a process that has imported it already.

    python -m tests.reliability.fork_server MODULE

Each line of standard input is a request of `tests.reliability.disturbed.Command`, in JSON. The
answer is a line too: the exit ``status`` (negative: a signal) and the ``events``, the changes or
reads of files, one "kind /path" each.

The environment sets LD_PRELOAD to the compiled `intercept.c`, and IMPORTED to modules that the
command imports when it runs: a fork would import them each time anew. Networks are those of
`tests.reliability.tiny_network`.
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

from tests.reliability.tiny_network import PACKAGE, shrink

_LONGEST = 120.0  # seconds, after which a command is killed that waits for ever


def main() -> None:
    """Answer requests until standard input ends."""
    name = sys.argv[1]
    module = importlib.import_module(name)
    for late in os.environ.get("IMPORTED", "").split():
        importlib.import_module(late)
    shim = ctypes.CDLL(None)
    shim.event_log.restype = ctypes.c_char_p
    shim.events.restype = ctypes.c_long
    if name.startswith(PACKAGE):
        shrink()
    assert len(list(Path("/proc/self/task").iterdir())) == 1, "a fork keeps one thread only"
    for line in sys.stdin:
        request = json.loads(line)
        pid = os.fork()
        if not pid:
            _run(module, name, shim, request)
        if request["seconds"] is not None and not _ends_within(pid, request["seconds"]):
            os.kill(pid, request["action"])
        if not _ends_within(pid, _LONGEST):
            os.kill(pid, signal.SIGKILL)
        _, status = os.waitpid(pid, 0)
        log = shim.event_log().decode(errors="replace").splitlines()
        answer = {"status": os.waitstatus_to_exitcode(status), "events": log[: shim.events()]}
        print(json.dumps(answer), flush=True)


def _ends_within(pid: int, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None:
            return True
        time.sleep(0.001)
    return False


def _run(module: Any, name: str, shim: ctypes.CDLL, request: dict[str, Any]) -> None:
    from elbow_core import cli

    os.close(0)
    output = os.open(request["output"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.chdir(request["folder"])
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.argv = [name, *request["arguments"]]
    folder, reads, at = os.fsencode(request["folder"]), request["reads"], request["at"]
    shim.arm(folder, reads, ctypes.c_long(at), request["action"])
    cli.run(module.main)


if __name__ == "__main__":
    main()
