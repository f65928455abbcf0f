"""Options of the commands that score with a released model."""

import argparse
from pathlib import Path

METHODS = ("grad_cam", "hires_cam")
"""Of heat maps, by a name of `elbow_jax.explain`; each costs about one forward pass."""


def add_model_options(parser: argparse.ArgumentParser) -> None:
    """Add what chooses the model, its operating point and the method of its heat maps."""
    parser.add_argument(
        "--model", type=Path, required=True, help="the `model` folder of a finished run"
    )
    parser.add_argument(
        "--threshold",
        help="name of an operating point in model.json, or a number from 0 to 1; by default the "
        "model's two thresholds that leave images to the reader, or else `default`",
    )
    parser.add_argument("--method", choices=METHODS, default=METHODS[0], help="of the heat maps")
