import subprocess
import sys

import pytest

from tests.support.paths import ROOT

COMMANDS = [
    "elbow_core.prepare",
    "elbow_core.evaluation.report",
    "elbow_jax.train",
    "elbow_jax.predict",
    "vlm_torch.finetune",
    "benchmarks.throughput",
    "scripts.make_figures",
]
# As `python -m MODULE --help`, with Ctrl-C at an import.
PROGRAM = """
import runpy, signal, sys
module, at = sys.argv[1], int(sys.argv[2])
sys.argv = ["-m", "--help"]  # as it is while the packages of a module are imported

class CtrlC:
    imports = 0
    def find_spec(self, name, path=None, target=None):
        CtrlC.imports += "elbow_core.processes.interruption" in sys.modules
        if CtrlC.imports == at:
            signal.raise_signal(signal.SIGINT)

sys.meta_path.insert(0, CtrlC())
runpy.run_module(module, run_name="__main__", alter_sys=True)
"""


@pytest.mark.parametrize(("module", "at"), list(zip(COMMANDS, range(10, 80, 10), strict=True)))
def test_ctrl_c_while_a_command_imports_is_one_line(module, at):
    command = [sys.executable, "-c", PROGRAM, module, str(at)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "interrupted\n")
