"""Networks with random weights, in PyTorch and in Flax, whose activations stay in range.

Freshly initialised weights would hide errors (statistics of 0 and 1, layer scales of 1e-6) or
amplify rounding through dozens of blocks. So every tensor is random, and the running statistics are
those of random images.
"""

import copy
from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import torch
from torch import nn

from elbow_jax import porting
from elbow_jax.models import ModelConfig, build_model


def random_images(count: int, height: int, width: int, seed: int = 0) -> np.ndarray:
    """Return images of blobs and noise, of varying brightness and contrast: `[count, h, w, 1]`."""
    generator = torch.Generator().manual_seed(seed)
    coarse = (count, 1, height // 16 + 2, width // 16 + 2)  # blobs of equal size in every image
    blobs = torch.randn(coarse, generator=generator)
    blobs = 2 * blobs * torch.rand(count, 1, 1, 1, generator=generator)
    blobs = nn.functional.interpolate(blobs, size=(height, width), mode="bilinear")
    brightness = torch.randn(count, 1, 1, 1, generator=generator)
    noise = 0.3 * torch.randn(count, 1, height, width, generator=generator)
    return to_nhwc(blobs + brightness + noise)


def randomise(network: nn.Module, image: torch.Tensor, seed: int = 0) -> nn.Module:
    """Randomise every tensor of a network and take its statistics from `image`; set eval mode."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, tensor in network.state_dict().items():
            noise = torch.randn(tensor.shape, generator=generator)
            if name.endswith("gamma"):
                tensor.copy_(0.5 + 0.1 * noise)
            elif tensor.ndim >= 2:
                tensor.copy_(noise * (2 / tensor[0].numel()) ** 0.5)
            elif name.endswith((".weight", ".bias")) or name in ("weight", "bias"):
                tensor.copy_(0.1 * noise + name.endswith("weight"))
        norms = [
            part for part in network.modules() if isinstance(part, nn.modules.batchnorm._BatchNorm)
        ]
        for norm in norms:
            norm.momentum = 1.0
        for part in network.modules():
            part.training = not type(part).__name__.startswith(("Drop", "StochasticDepth"))
        network(image)
        for norm in norms:
            norm.momentum = 0.1
            assert norm.num_batches_tracked is not None
            norm.num_batches_tracked.zero_()
    return network.eval()


@cache
def _shared_twin(config: ModelConfig) -> nn.Module:
    image = to_nchw(random_images(8, 128, 128, seed=1))
    return randomise(porting.build_twin(config), image.expand(-1, config.in_channels, -1, -1))


def random_twin(config: ModelConfig) -> nn.Module:
    """Return a torch twin with random weights, in eval mode; a new copy for each caller."""
    return copy.deepcopy(_shared_twin(config))


def numpy_state(network: nn.Module) -> dict[str, np.ndarray]:
    """Return a copy of a network's state dict as NumPy arrays."""
    return {name: tensor.numpy().copy() for name, tensor in network.state_dict().items()}


@cache
def variable_shapes(module: Any, in_channels: int = 1) -> dict[str, Any]:
    """Return the shapes of a network's variables without computing them."""
    image = jnp.zeros((1, 32, 32, in_channels))
    return jax.eval_shape(lambda: module.init(jax.random.key(0), image))


def ported(config: ModelConfig, twin: nn.Module) -> tuple[Any, dict[str, Any]]:
    """Return the Flax network of a twin, and its variables."""
    module = build_model(config)
    shapes = variable_shapes(module, config.in_channels)
    return module, porting.from_torch(numpy_state(twin), module, shapes)


def to_nchw(image: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(np.transpose(image, (0, 3, 1, 2))))


def to_nhwc(tensor: torch.Tensor) -> np.ndarray:
    return np.ascontiguousarray(tensor.detach().permute(0, 2, 3, 1).numpy())


def relative_error(actual: Any, expected: Any) -> float:
    """Return the largest difference divided by the largest magnitude expected."""
    actual = np.asarray(actual, np.float64)
    if isinstance(expected, torch.Tensor):
        expected = expected.detach()
    expected = np.asarray(expected, np.float64)
    assert actual.shape == expected.shape
    return float(np.abs(actual - expected).max() / max(np.abs(expected).max(), 1e-30))
