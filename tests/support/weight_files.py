"""Files of weights for the tests of porting."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.numpy import save_file


def save_torch(folder: Path, content: Any, name: str = "weights.pth") -> Path:
    """Write a file as `torch.save` does; return it."""
    torch.save(content, folder / name)
    return folder / name


def save_stem(folder: Path, **metadata: str) -> Path:
    """Write a `.safetensors` file with one tensor of timm's; return it."""
    file = folder / "weights.safetensors"
    save_file({"conv_stem.weight": np.zeros((1, 3, 1, 1), np.float32)}, file, metadata)
    return file
