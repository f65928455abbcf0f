"""Commands of the project, run in this process as the shell does."""

import sys
from typing import Any

import pytest

from elbow_core import cli


def status_of(module: Any, *arguments: str) -> int:
    """Run the command of a module; return its exit status."""
    original_argv, sys.argv = sys.argv, ["command", *arguments]
    try:
        with pytest.raises(SystemExit) as exit_info:
            cli.run(module.main)
    finally:
        sys.argv = original_argv
    assert isinstance(exit_info.value.code, int)
    return exit_info.value.code


def refusal_of(capsys: Any, module: Any, *arguments: str) -> str:
    """Run a command that must end with status 2 and one line, its error; return the line."""
    capsys.readouterr()
    status = status_of(module, *arguments)
    lines = capsys.readouterr().err.splitlines()
    assert (status, len(lines)) == (2, 1), (status, lines)
    assert lines[0].startswith("error: ")
    assert len(lines[0]) < 1000
    return lines[0]


def error_of(capsys: Any, module: Any, *arguments: str) -> str:
    """Run a command that must end with status 2 and one error; return the error's line.

    Other lines, such as those of its progress, may stand before it.
    """
    assert status_of(module, *arguments) == 2
    written = capsys.readouterr().err.splitlines()
    (line,) = [line for line in written if line.startswith("error: ")]
    return line
