"""Standard input: no command reads it unless a file of that name is given."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.paths import ROOT

ASKS = """
import sys
from elbow_core import cli
from elbow_core.errors import UserError
def main(arguments):
    try:
        answer = input("Run the code? [y/N] ")
    except EOFError:
        raise UserError("no answer")
    print(answer)
    return 0
cli.run(main)
"""
COMMANDS = sorted(
    f"{package}.{name}"
    for package, names in {
        "elbow_core": ("prepare", "evaluation.report", "evaluation.audit"),
        "elbow_jax": ("train", "evaluate", "predict", "porting"),
        "vlm_torch": ("finetune", "predict", "merge", "assemble_llava_rad"),
    }.items()
    for name in names
)


@pytest.mark.parametrize("given", ["y\n", None])
def test_question_of_a_library_gets_no_answer(given, tmp_path):
    """``None`` is a process whose standard input is closed."""
    run = [sys.executable, "-c", ASKS]
    if given is None:
        run = ["sh", "-c", 'exec "$@" <&-', "sh", *run]
    done = subprocess.run(
        run, cwd=ROOT, input=given, capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.returncode, done.stderr) == (2, "error: no answer\n")


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_goes_through_the_function_that_closes_standard_input(command):
    file = ROOT / (command.replace(".", "/") + ".py")
    if not file.exists():
        file = ROOT / command.replace(".", "/") / "__main__.py"
    last = file.read_text().rstrip().splitlines()[-1].strip()
    assert last in ("cli.run(main)", "run(main)")


def test_no_module_reads_standard_input():
    """A worker process of the benchmarks alone, to which its parent writes."""
    reading = []
    for package in (
        "elbow_core",
        "elbow_jax",
        "vlm_torch",
        "reading_room",
        "benchmarks",
        "scripts",
    ):
        for file in sorted((ROOT / package).rglob("*.py")):
            text = file.read_text().replace("original = sys.stdin", "").replace("sys.stdin = ", "")
            if "sys.stdin" in text or " input(" in text or "fileinput" in text:
                reading.append(file.relative_to(ROOT))
    assert reading == [Path("benchmarks/throughput/measuring/worker.py")]


def test_standard_input_stays_unread(tmp_path):
    """The command shares the position of the file that it gets as standard input."""
    answers = tmp_path / "answers"
    answers.write_text("y\n" * 100)
    with answers.open() as given:
        arguments = ["--config", str(tmp_path / "nothing.yaml")]
        subprocess.run(
            [sys.executable, "-m", "vlm_torch.finetune", *arguments],
            cwd=ROOT,
            stdin=given,
            capture_output=True,
            check=False,
            timeout=60,
        )
        assert os.lseek(given.fileno(), 0, os.SEEK_CUR) == 0
