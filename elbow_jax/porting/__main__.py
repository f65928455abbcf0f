"""python -m elbow_jax.porting: published weights to Flax, a trained network to PyTorch."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from elbow_core.cli import run
from elbow_core.files import require_writable
from elbow_jax import porting, scoring
from elbow_jax.models import Backbone
from elbow_jax.porting.architectures import ARCHITECTURES, same_tensors
from elbow_jax.porting.checkpoints import PUBLISHED, require_own_file


def main(arguments: Sequence[str]) -> int:
    """Convert weights in one direction and print the file written."""
    options = _parser().parse_args(arguments)
    require_writable(options.out)
    if options.to_torch is not None:
        return _export(options.to_torch, options.out)
    return _port(
        options.source, options.backbone, options.architecture, options.in_channels, options.out
    )


def _port(
    source: str, backbone: Backbone | None, architecture: str | None, in_channels: int, out: Path
) -> int:
    name = source.rpartition("/")[2] if source in PUBLISHED else Path(source).stem
    path = out / f"{name}.safetensors"
    require_own_file(path)
    weights = porting.read_weights(source, backbone, architecture)
    porting.write_ported(path, weights, in_channels)
    for field, value in weights.origin.items():
        print(f"{field:9}{value or '-'}")
    print(f"wrote    {path}")
    if weights.stated_convention is None:
        print(
            f"note     {source} does not say which network it is of; port it again with "
            f"--architecture {' or '.join(same_tensors(weights.backbone))}, or name it in the "
            "configuration of the run that starts from it (init_architecture)"
        )
    return 0


def _export(directory: Path, out: Path) -> int:
    model = directory / "model" if (directory / "model").is_dir() else directory
    path = out / f"{directory.resolve().name}.torch.safetensors"
    require_own_file(path)
    released = scoring.read_released(model)
    architecture, members = released.card.architecture, released.card.members
    tensors = porting.released_to_torch(architecture, released.variables, members)
    porting.write_tensors(path, tensors, {"weights_sha256": released.card.weights_sha256})
    twin = "build_twin" if members is None else "build_ensemble_twin"
    print(f"wrote    {path}; elbow_jax.porting.{twin} builds the network that loads it")
    print(f"network  {architecture}")
    if members is not None:
        print(f"members  {members}")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m elbow_jax.porting", description=__doc__)
    direction = parser.add_mutually_exclusive_group(required=True)
    tags = ", ".join(PUBLISHED)
    direction.add_argument(
        "--source",
        help=f"one of {tags}, or a .safetensors or .pth file from timm, torchvision or Facebook",
    )
    direction.add_argument(
        "--to-torch", type=Path, metavar="RUN", help="a finished run, or its `model` folder"
    )
    parser.add_argument("--out", type=Path, required=True, help="directory of the file to write")
    parser.add_argument(
        "--backbone",
        choices=sorted({published.backbone for published in PUBLISHED.values()}),
        help="the network of a file; not needed for a tag",
    )
    parser.add_argument(
        "--architecture",
        metavar="NAME",
        help="its name in timm or torchvision, for a file that does not say it: "
        f"{', '.join(ARCHITECTURES)}",
    )
    parser.add_argument(
        "--in-channels",
        type=int,
        choices=(1, 3),
        default=1,
        help="1 sums the kernels of the colour stem; 3 keeps it",
    )
    return parser


if __name__ == "__main__":
    run(main)
