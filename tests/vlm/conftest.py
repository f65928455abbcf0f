"""Finished fine-tuning runs, one of each architecture, trained once for all test processes."""

from pathlib import Path

import pytest

from tests.support.shared_folder import made_once
from tests.support.small_data import write_prepared
from tests.support.vlm_runs import WORKSPACE_EPOCHS, write_config
from vlm_torch import finetune, predict


@pytest.fixture(scope="session", params=("medgemma", "llava_rad"))
def workspace(request, tmp_path_factory) -> Path:
    """A folder with data, a configuration, and its finished run with predictions; read-only."""
    name = f"finished_{request.param}"
    return made_once(request, tmp_path_factory, name, _train, request.param)


def _train(folder: Path, architecture: str) -> None:
    write_prepared(folder / "data")
    config = write_config(folder, architecture, epochs=WORKSPACE_EPOCHS, checkpoint_every=4)
    assert finetune.main(["--config", str(config)]) == 0
    for split in ("train", "test"):
        options = ["--split", split, "--batch-size", "8" if split == "train" else "4"]
        assert predict.main(["--run", str(folder / "run"), *options]) == 0
