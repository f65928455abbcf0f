"""vlm_torch where torchvision cannot be imported: each command in a fresh process."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.paths import ROOT
from tests.support.small_data import write_prepared
from tests.support.vlm_runs import write_config

FALLING = "raise RuntimeError('operator torchvision::nms does not exist')\n"


def run(folder: Path, *arguments: str) -> str:
    """Run a command where the first torchvision that is found cannot be imported."""
    root = ROOT
    paths = f"import sys; sys.path[:0] = [{str(folder / 'broken')!r}, {str(root)!r}]; "
    command = f"import runpy; sys.argv = {list(arguments)!r}; "
    command += f"runpy.run_module({arguments[0]!r}, run_name='__main__', alter_sys=False)"
    done = subprocess.run(
        [sys.executable, "-c", paths + command], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def folder(tmp_path) -> Path:
    (tmp_path / "broken/torchvision").mkdir(parents=True)
    (tmp_path / "broken/torchvision/__init__.py").write_text(FALLING)
    write_prepared(tmp_path / "data")
    return tmp_path


def test_torchvision_there_really_falls(folder):
    command = f"import sys; sys.path.insert(0, {str(folder / 'broken')!r}); import torchvision"
    done = subprocess.run([sys.executable, "-c", command], capture_output=True, check=False)
    assert done.returncode != 0


def test_finetune_and_predict_do_without_torchvision(folder):
    config = write_config(folder, "medgemma", epochs=1)
    assert "adapter:" in run(folder, "vlm_torch.finetune", "--config", str(config))
    assert "unparsed:" in run(folder, "vlm_torch.predict", "--run", str(folder / "run"))
    assert (folder / "run/predictions_test.csv").is_file()


def test_other_packages_still_find_torchvision(folder):
    command = (
        f"import sys; sys.path.insert(0, {str(folder / 'broken')!r}); import vlm_torch.tokens\n"
        "import importlib.util\n"
        "assert importlib.util.find_spec('torchvision')\n"
        "assert 'torchvision' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", command], cwd=ROOT, check=True)
