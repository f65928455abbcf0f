"""Train a network in JAX and its PyTorch twin from equal weights, on equal batches, by one recipe.

    python -m benchmarks.learning --config configs/fracatlas/compare.yaml \\
        --out docs/performance/measurements

Needs the prepared data of the configuration, torch and timm. Two cores: the small network, some
ten minutes. On a GPU the full one, with PyTorch under bfloat16 autocast where JAX computes in it:
`--model.variant full --precision bfloat16`. Dropout and stochastic depth are off, as each framework
has its own random generator.
"""

import argparse
import importlib.metadata
import json
import shlex
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from elbow_core.cli import run
from elbow_core.errors import ConfigError
from elbow_core.files import atomic_file, require_output_file

if TYPE_CHECKING:
    from elbow_jax.config import TrainConfig


def main(arguments: Sequence[str]) -> int:
    """Train both, write `learning_<network>.{json,md,png}`."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.learning",
        description=(__doc__ or "").partition("\n")[0],
        usage="%(prog)s --config F --out DIR [--field.sub value ...]",
        epilog="Fields: those of python -m elbow_jax.train --help",
        allow_abbrev=False,
    )
    parser.add_argument("--config", metavar="F", help="configuration of one stage of training")
    parser.add_argument("--out", metavar="DIR", type=Path, required=True, help="folder to write to")
    options, overrides = parser.parse_known_args(arguments)
    if options.config is None:
        parser.error("the following arguments are required: --config")
    return compare(Path(options.config), overrides, options.out, arguments)


def compare(path: Path, overrides: Sequence[str], out: Path, arguments: Sequence[str]) -> int:
    """Train both frameworks as a configuration says and write the record, its page and figure.

    Raises:
        ConfigError: the configuration sets an option that the comparison does not support.
    """
    import jax
    import numpy as np

    from benchmarks.learning.jax_training import train_jax
    from benchmarks.learning.page import document, draw
    from benchmarks.learning.torch_training import train_torch
    from elbow_core.config import load_config
    from elbow_core.dataset import open_prepared
    from elbow_jax import networks
    from elbow_jax.config import TrainConfig
    from elbow_jax.runtime import set_up_process

    config = load_config(TrainConfig, path, overrides)
    name = f"learning_{config.model.backbone}_{config.model.variant}"
    for suffix, mark in (("json", '{"name": "learning_'), ("md", "# Learning "), ("png", "")):
        require_output_file(out / f"{name}.{suffix}", "--out", mark=mark, make_folder=True)
    _refuse_unsupported(config, path)
    without_dropout = replace(config.model, dropout=0.0, drop_path=0.0)
    config = config.model_copy(update={"model": without_dropout})
    set_up_process()
    data = open_prepared(config.data.prepared)
    jax_curve, initial = train_jax(config, data)
    steps_per_epoch = len(jax_curve["loss"]) // config.epochs
    torch_curve = train_torch(config, data, initial, steps_per_epoch)
    device = jax.devices()[0]
    record = {
        "name": name,
        "command": f"python -m benchmarks.learning {shlex.join(arguments)}",
        "device": "a CPU" if device.platform == "cpu" else device.device_kind,
        "network": f"{config.model.backbone} ({config.model.variant})",
        "precision": np.dtype(networks.compute_dtype(config.precision)).name,
        "first_weights": "random" if config.init is None else str(config.init),
        "images": len(data.positions("train")),
        "size": data.archive.size,
        "steps_per_epoch": steps_per_epoch,
        "versions": {name: importlib.metadata.version(name) for name in ("jax", "torch")},
        "courses": {"JAX": jax_curve, "PyTorch": torch_curve},
    }
    with atomic_file(out / f"{name}.json") as partial:
        partial.write_text(json.dumps(record) + "\n")
    with atomic_file(out / f"{name}.png") as partial:
        draw(record).savefig(partial, format="png", dpi=150)
    with atomic_file(out / f"{name}.md") as partial:
        partial.write_text(document(record))
    print(document(record))
    return 0


def _refuse_unsupported(config: "TrainConfig", path: Path) -> None:
    """Raise `ConfigError` for options that the loop of PyTorch does not have."""
    unsupported = {
        "learning rates by group": isinstance(config.optimizer.learning_rate, dict),
        "auxiliary": config.auxiliary.weights(),
        "ema_decay": config.ema_decay is not None,
        "accumulate": config.accumulate != 1,
        "pos_weight": config.pos_weight != 1,
        "data.fold": config.data.fold is not None,
    }
    if given := [name for name, value in unsupported.items() if value]:
        raise ConfigError(f"{path}: {', '.join(given)}: not supported by this comparison")


if __name__ == "__main__":
    run(main)
