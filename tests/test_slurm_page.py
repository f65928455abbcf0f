"""The job scripts in docs/slurm.md: valid, with commands and options that exist; one requeues."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.paths import ROOT

PAGE = ROOT / "docs" / "slurm.md"
SCRIPTS = re.findall(r"^```bash\n(.*?)^```$", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)
SCRIPT: str = SCRIPTS[0]
COMMANDS = [
    found
    for script in SCRIPTS
    for found in re.findall(
        r"python -m ([\w.]+)((?:[^\n\\]|\\\n)*)", script.replace("\\\n", " ").replace("`", " ")
    )
]

pytestmark = pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")


@pytest.mark.parametrize("script", SCRIPTS)
def test_script_is_valid(script):
    done = subprocess.run(["bash", "-n"], input=script, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(("module", "arguments"), COMMANDS)
def test_commands_and_their_options_exist(module, arguments):
    done = subprocess.run(
        [sys.executable, "-m", module, "--help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    known = set(re.findall(r"--[\w.-]+", done.stdout))
    assert set(re.findall(r"--[\w.-]+", arguments)) <= known


def test_page_names_the_options_of_sbatch_that_matter():
    options = dict(re.findall(r"^#SBATCH --([\w-]+)=?(\S*)$", SCRIPT, re.MULTILINE))
    assert options["signal"].startswith("USR1@")  # without B:, to the steps and not the script
    assert "requeue" in options


@pytest.mark.parametrize(
    ("statuses", "cancelled", "calls"),
    [
        ([143], False, ["train", "requeue 7"]),
        ([143], True, ["train"]),
        ([0, 0], False, ["train", "evaluate"]),
        ([2], False, ["train"]),
        ([137], False, ["train"]),
    ],
)
def test_script_requeues_a_run_that_stopped_in_time_and_no_other(
    tmp_path, statuses, cancelled, calls
):
    """With stand-ins for SLURM's commands, which end with these statuses."""
    log, left = tmp_path / "log", tmp_path / "statuses"
    left.write_text("".join(f"{status}\n" for status in statuses))
    srun = f"""#!/bin/bash
echo "$*" | sed -E 's/.*elbow_jax.([a-z]+).*/\\1/' >> {log}
{"kill -TERM $PPID" if cancelled else ""}
status=$(head -n 1 {left}); sed -i 1d {left}; exit "$status"
"""
    scontrol = f'#!/bin/bash\necho "$*" >> {log}\n'
    for name, text in (("srun", srun), ("scontrol", scontrol)):
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    (tmp_path / "train.sbatch").write_text(SCRIPT)
    done = subprocess.run(
        ["bash", str(tmp_path / "train.sbatch"), "c.yaml", "runs/mine"],
        env={
            "PATH": f"{tmp_path}:{os.environ['PATH']}",
            "SLURM_JOB_ID": "7",
            "SLURM_CPUS_PER_TASK": "8",
        },
        cwd=tmp_path,
        check=False,
    )
    assert done.returncode == statuses[-1]
    assert log.read_text().splitlines() == calls


def test_page_is_linked():
    for page in (ROOT / "README.md", *(ROOT / "docs" / name for name in ("training.md", "vlm.md"))):
        assert "slurm.md" in Path(page).read_text(encoding="utf-8")
