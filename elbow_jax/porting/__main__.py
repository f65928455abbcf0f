"""python -m elbow_jax.porting: published weights to Flax, a trained network to PyTorch."""

import argparse
from collections.abc import Sequence
from pathlib import Path

import jax
import jax.numpy as jnp

from elbow_core.cli import run
from elbow_jax.models import build_model
from elbow_jax.models.config import Backbone
from elbow_jax.porting import to_torch
from elbow_jax.porting.published import (
    PUBLISHED,
    plain_network,
    read_weights,
    start_from_weights,
    write_ported,
    write_tensors,
)
from elbow_jax.scoring.released import read_released


def main(arguments: Sequence[str]) -> int:
    """Port weights one way or the other and say what was written."""
    options = _parser().parse_args(arguments)
    if options.to_torch is not None:
        return _export(options.to_torch, options.out)
    return _port(options.source, options.backbone, options.in_channels, options.out)


def _port(source: str, backbone: Backbone | None, in_channels: int, out: Path) -> int:
    weights = read_weights(source, backbone)
    config = plain_network(weights.backbone, weights.convention, in_channels)
    module = build_model(config)
    image = jnp.zeros((1, 32, 32, in_channels))
    shapes = jax.eval_shape(lambda: module.init(jax.random.key(0), image))
    name = source.rpartition("/")[2] if source in PUBLISHED else Path(source).stem
    path = out / f"{name}.safetensors"
    write_ported(path, start_from_weights(weights, config, shapes), config, weights.origin)
    for what, value in weights.origin.items():
        print(f"{what:9}{value or '-'}")
    print(f"wrote    {path}")
    return 0


def _export(directory: Path, out: Path) -> int:
    model = directory / "model" if (directory / "model").is_dir() else directory
    released = read_released(model)
    tensors = to_torch(released.variables, build_model(released.card.architecture))
    path = out / f"{directory.resolve().name}.torch.safetensors"
    write_tensors(path, tensors, {"weights_sha256": released.card.weights_sha256})
    print(f"wrote    {path}; it loads into elbow_jax.porting.torch_twin.build_twin")
    print(f"network  {released.card.architecture}")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m elbow_jax.porting", description=__doc__)
    what = parser.add_mutually_exclusive_group(required=True)
    tags = ", ".join(PUBLISHED)
    what.add_argument(
        "--source", help=f"one of {tags}, or a .safetensors or .pth file by timm or torchvision"
    )
    what.add_argument("--to-torch", type=Path, metavar="RUN", help="a finished run, or its model/")
    parser.add_argument("--out", type=Path, required=True, help="directory to write into")
    parser.add_argument(
        "--backbone",
        choices=sorted({published.backbone for published in PUBLISHED.values()}),
        help="the network of a file; a tag knows its own",
    )
    parser.add_argument(
        "--in-channels",
        type=int,
        choices=(1, 3),
        default=1,
        help="1 sums the colour stem's channels",
    )
    return parser


if __name__ == "__main__":
    run(main)
