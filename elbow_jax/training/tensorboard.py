"""Curves for TensorBoard from the rows of `metrics.jsonl`, and a sheet of training images."""

import math
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from jaxtyping import UInt8

from elbow_core.errors import UserError
from elbow_jax.runtime import is_main


def require_tensorboard() -> None:
    """Raise `UserError` if tensorboardX cannot be imported."""
    try:
        import tensorboardX  # noqa: F401
    except ImportError as error:
        raise UserError(
            "tensorboard: true needs tensorboardX; pip install 'elbow-radiographs[tensorboard]'"
        ) from error


class Curves:
    """TensorBoard's event files; rows after the step resumed from are hidden.

    Args:
        directory: of the event files; created when missing.
        after: the step resumed from, 0 in a new run.
        enabled: whether to write at all. Of several processes only the main one writes.

    Raises:
        UserError: if tensorboardX is not installed.
    """

    def __init__(self, directory: Path, after: int, enabled: bool):
        self._writer = None
        if not enabled or not is_main():
            return
        require_tensorboard()
        from tensorboardX import SummaryWriter

        self._writer = SummaryWriter(str(directory), purge_step=after + 1 if after else None)

    def __enter__(self) -> "Curves":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._writer is not None:
            self._writer.close()

    def write(self, row: Mapping[str, Any]) -> None:
        """Add the metrics of one row of `metrics.jsonl`."""
        if self._writer is None:
            return
        if "validation" in row:
            named = {f"validation/{name}": value for name, value in row["validation"].items()}
        else:
            named = {f"training/{name}": row[name] for name in ("loss", "learning_rate")}
        for name, value in named.items():
            self._writer.add_scalar(name, value, row["step"])

    def image(self, name: str, image: UInt8[np.ndarray, "height width"], step: int) -> None:
        """Add a grey image."""
        if self._writer is not None:
            self._writer.add_image(name, image, step, dataformats="HW")


def contact_sheet(
    images: UInt8[np.ndarray, "count height width 1"], max_images: int = 16
) -> UInt8[np.ndarray, "rows columns"]:
    """Arrange the first `max_images` images of a batch in a square grid, row by row."""
    shown = images[:max_images, ..., 0]
    side = math.ceil(math.sqrt(len(shown)))
    height, width = shown.shape[1:]
    sheet = np.zeros((side, side, height, width), np.uint8)
    sheet.reshape(-1, height, width)[: len(shown)] = shown
    return sheet.swapaxes(1, 2).reshape(side * height, side * width)
