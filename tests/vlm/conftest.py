"""Finished fine-tuning runs, one of each architecture, trained once for all test processes."""

import fcntl
from pathlib import Path

import pytest

from tests.support.small_data import write_prepared
from tests.support.vlm_runs import WORKSPACE_EPOCHS, write_config
from vlm_torch import finetune, predict


@pytest.fixture(scope="session", params=("medgemma", "llava_rad"))
def workspace(request, tmp_path_factory) -> Path:
    """A folder with data, a configuration, and its finished run with predictions; read-only.

    Processes of pytest-xdist share it: the first one trains, the others wait.
    """
    folder = tmp_path_factory.getbasetemp()
    if hasattr(request.config, "workerinput"):
        folder = folder.parent  # the part that is common to all processes
    folder = folder / f"finished_{request.param}"
    folder.mkdir(exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "complete").exists():
            _train(folder, request.param)
            (folder / "complete").touch()
    return folder


def _train(folder: Path, architecture: str) -> None:
    write_prepared(folder / "data")
    config = write_config(folder, architecture, epochs=WORKSPACE_EPOCHS, checkpoint_every=4)
    assert finetune.main(["--config", str(config)]) == 0
    for split in ("train", "test"):
        options = ["--split", split, "--batch-size", "8" if split == "train" else "4"]
        assert predict.main(["--run", str(folder / "run"), *options]) == 0
