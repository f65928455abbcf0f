"""Finished runs of a small network with random weights, written without training."""

from pathlib import Path
from typing import Any

import jax
import numpy as np

from elbow_core.config import load_config
from elbow_core.dataset import images_learnt_from, open_prepared
from elbow_core.radiographs import Preprocessing
from elbow_jax import networks
from elbow_jax.config import TrainConfig
from elbow_jax.scoring import write_released
from elbow_jax.training import RunDirectory, create_run
from elbow_jax.training.initial.leakage import refuse_leakage, seen_before
from tests.support.training import write_config


def random_variables(config: Any, size: int, seed: int = 0) -> dict[str, Any]:
    """Return variables of a network that give finite scores."""
    shapes = networks.variable_shapes(networks.build(config, "float32"), size)
    rng = np.random.default_rng(seed)
    return jax.tree.map(lambda leaf: rng.uniform(0.01, 0.1, leaf.shape).astype(np.float32), shapes)


def write_finished_run(folder: Path, data: Path, **changes: Any) -> Path:
    """Write a finished run on prepared data into ``folder``; return the run."""
    folder.mkdir(parents=True, exist_ok=True)
    path = write_config(folder, data={"prepared": str(data), "copies": 1}, **changes)
    config, prepared = load_config(TrainConfig, path), open_prepared(data)
    if config.init is not None:
        refuse_leakage(config.init, prepared)
    seen = images_learnt_from(prepared) | seen_before(config.init, None)
    run = create_run(config, prepared, seen)
    write_released(
        run.model,
        random_variables(config.model, prepared.archive.size),
        seen,
        architecture=config.model,
        preprocessing=Preprocessing.model_validate(prepared.archive.settings),
        thresholds={"default": 0.5, "youden": 0.4},
        labels=("normal", "injury"),
        validation={"auroc": 0.5},
        step=1,
    )
    return RunDirectory(config.run).path
