"""The convolutional networks: pure functions of `(variables, image)`."""

from typing import Any

import flax.linen as nn
import jax.numpy as jnp

from elbow_jax.models import mobilenetv3
from elbow_jax.models.classifier import Classifier
from elbow_jax.models.config import ModelConfig

__all__ = ["ModelConfig", "build_model"]


def build_model(config: ModelConfig, dtype: Any = jnp.float32) -> nn.Module:
    """Build the network that `config` names; parameters are float32, computation is in `dtype`.

    `module.apply(variables, image, train=False)` gives `(logits [B], taps)`.

    Raises:
        ValueError: a field of `config` has a value that cannot be built; the message names it.
    """
    _check(config)
    variant = mobilenetv3.VARIANTS[config.variant]
    backbone = mobilenetv3.MobileNetV3(
        variant,
        config.features or variant.features,
        config.cbam,
        config.drop_path or 0.0,
        dtype,
    )
    dropout = 0.2 if config.dropout is None else config.dropout
    return Classifier(backbone, config.in_channels, dropout, dtype)


def _check(config: ModelConfig) -> None:
    if config.backbone != "mobilenetv3_large":
        raise ValueError(f"backbone: {config.backbone!r} is not one of mobilenetv3_large")
    if config.variant not in ("full", "small"):
        raise ValueError(f"variant: {config.variant!r} is not one of full, small")
    if config.in_channels not in (1, 3):
        raise ValueError(f"in_channels: {config.in_channels} is neither 1 (grey) nor 3 (colour)")
    if config.features is not None and config.features < 1:
        raise ValueError(f"features: {config.features} is not a positive width")
    for name in ("dropout", "drop_path"):
        rate = getattr(config, name)
        if rate is not None and not 0.0 <= rate < 1.0:
            raise ValueError(f"{name}: {rate} is not a rate from 0 to below 1")
