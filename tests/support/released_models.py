"""A small released model, and changes that make it another."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load_file, save_file

from elbow_core.radiographs import Preprocessing
from elbow_jax import predict
from elbow_jax.models import ModelConfig
from tests.support.commands import refusal_of

SIZE = 32
NETWORK = ModelConfig(backbone="mobilenetv3_large", variant="small")
CARD: dict[str, Any] = {
    "architecture": NETWORK,
    "preprocessing": Preprocessing(size=SIZE),
    "thresholds": {"default": 0.5, "youden": 0.4},
    "labels": ("normal", "injury"),
    "validation": {"auroc": 0.5},
    "step": 1,
}
"""Of a model that `write_released` writes."""


def refused(capsys, model: Path, original: Path) -> str:
    """Predict with a model that must be refused; return the line."""
    image = str(original.parent / "image.png")
    return refusal_of(capsys, predict, "--model", str(model), image)


def rewrite(model: Path, change: Callable[[dict[str, np.ndarray]], object]) -> None:
    """Change the tensors of a model, and the digest in its card."""
    tensors = load_file(model / "weights.safetensors")
    change(tensors)
    save_file(tensors, model / "weights.safetensors")
    card = json.loads((model / "model.json").read_text())
    digest = hashlib.sha256((model / "weights.safetensors").read_bytes()).hexdigest()
    (model / "model.json").write_text(json.dumps(card | {"weights_sha256": digest}))
