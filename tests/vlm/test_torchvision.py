"""vlm_torch where torchvision cannot be imported, in a fresh process."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.paths import ROOT
from tests.support.small_data import write_prepared
from tests.support.vlm_runs import write_config

BROKEN = "raise RuntimeError('operator torchvision::nms does not exist')\n"

COMMANDS = """
import importlib.util, sys
from pathlib import Path
from vlm_torch import finetune, predict

def print_torchvision(when):
    found = importlib.util.find_spec("torchvision") is not None
    print(when, "torchvision found:", found, "imported:", "torchvision" in sys.modules)

config, run = sys.argv[1:]
print_torchvision("before")
assert "transformers" not in sys.modules
assert finetune.main(["--config", config]) == 0
assert "transformers" in sys.modules
assert predict.main(["--run", run]) == 0
print_torchvision("after")
"""


def run_python(folder: Path, code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run code where the first torchvision on the path cannot be imported."""
    path = f"import sys; sys.path[:0] = [{str(folder / 'broken')!r}, {str(ROOT)!r}]\n"
    return subprocess.run(
        [sys.executable, "-c", path + code, *arguments], capture_output=True, text=True, check=False
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("torchvision")
    (folder / "broken/torchvision").mkdir(parents=True)
    (folder / "broken/torchvision/__init__.py").write_text(BROKEN)
    write_prepared(folder / "data")
    return folder


@pytest.fixture(scope="module")
def output(folder) -> str:
    """The output of both commands, run one after the other in one process."""
    config = write_config(folder, "medgemma", epochs=1)
    done = run_python(folder, COMMANDS, str(config), str(folder / "run"))
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_torchvision_of_this_test_cannot_be_imported(folder):
    done = run_python(folder, "import torchvision")
    assert done.returncode != 0
    assert "operator torchvision::nms does not exist" in done.stderr


def test_finetune_and_predict_run_without_torchvision(folder, output):
    assert "adapter:" in output
    assert "unparsed:" in output
    assert (folder / "run/predictions_test.csv").is_file()


def test_other_packages_still_find_torchvision(output):
    assert "before torchvision found: True imported: False" in output
    assert "after torchvision found: True imported: False" in output
