"""What commands print cannot change the terminal, whatever a file is called."""

import os
import subprocess
import sys

import pytest

from tests.support.paths import ROOT

PRINT = """
import argparse, sys
from elbow_core import cli
from elbow_core.errors import UserError
def main(arguments):
    if arguments[0] == "usage":
        argparse.ArgumentParser(prog="command").parse_args(arguments[1:])
    print(f"name {arguments[1]}")
    print(f"name {arguments[1]}", file=sys.stderr)
    if arguments[0] == "system":
        open(arguments[1])
    raise UserError(f"{arguments[1]}: is wrong")
cli.run(main)
"""
HOSTILE = "a\x1b]0;owned\x07\x9b31m\u202e\nerror: b\x7f.png"


@pytest.mark.parametrize("kind", ["user", "system", "usage"])
def test_escape_sequences_in_a_name_do_not_reach_the_terminal(kind):
    done = subprocess.run(
        [sys.executable, "-c", PRINT, kind, f"--{HOSTILE}"],
        cwd=ROOT,
        capture_output=True,
        env=os.environ | {"PYTHONUTF8": "1"},
        check=False,
    )
    assert done.returncode == 2
    printed = (done.stdout + done.stderr).decode()
    assert not set(printed) & set("\x1b\x07\x9b\u202e\x7f")
    last = printed.splitlines()[-1]
    assert "\\x1b]0;owned\\x07\\u009b31m\\u202e\\nerror: b\\x7f.png" in last
