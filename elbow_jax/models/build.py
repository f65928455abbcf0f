"""From a `ModelConfig` to a Flax module."""

from typing import Any, get_args

import flax.linen as nn
import jax.numpy as jnp

from elbow_jax.models import convnext, efficientnetv2, mobilenetv3
from elbow_jax.models.classifier import Classifier
from elbow_jax.models.config import Backbone, Convention, ModelConfig, Variant
from elbow_jax.models.fusion import Fusion


def build_model(
    config: ModelConfig, dtype: Any = jnp.float32, scan_blocks: bool = True
) -> nn.Module:
    """Build the network that `config` names.

    `module.apply(variables, image, train=False)` gives `(logits [B], endpoints)`; logits are
    float32.

    Args:
        config: the network.
        dtype: of the computation; parameters are float32.
        scan_blocks: compile equal blocks once, as a loop. Otherwise each is compiled, which takes
            longer and, on a CPU, runs faster (`python -m benchmarks.compile`). The variables are
            the same.

    Raises:
        ValueError: a field of `config` has a value that cannot be built; the message names it.
    """
    _check(config)
    if config.backbone == "fusion":
        return Fusion(
            _convnext(config, dtype, scan_blocks),
            _efficientnetv2(config, dtype, scan_blocks),
            _mobilenetv3(config, dtype, scan_blocks),
            config.in_channels,
            0.3 if config.dropout is None else config.dropout,
        )
    dropout = _DROPOUT[config.backbone] if config.dropout is None else config.dropout
    backbone = _BUILDERS[config.backbone](config, dtype, scan_blocks)
    return Classifier(backbone, config.in_channels, dropout)


def _convnext(config: ModelConfig, dtype: Any, scan_blocks: bool) -> nn.Module:
    variant = convnext.VARIANTS[config.variant]
    if config.features not in (None, variant.features):
        raise ValueError(
            f"features: {config.features}, but the last stage of a {config.variant} ConvNeXt is "
            f"{variant.features} wide and nothing narrows it"
        )
    return convnext.ConvNeXt(variant, config.cbam, _drop_path(config, 0.1), scan_blocks, dtype)


def _efficientnetv2(config: ModelConfig, dtype: Any, scan_blocks: bool) -> nn.Module:
    variant = efficientnetv2.VARIANTS[config.variant]
    return efficientnetv2.EfficientNetV2(
        variant,
        config.features or variant.features,
        config.cbam,
        _drop_path(config, 0.2),
        "same" if config.convention == "timm" else "symmetric",
        scan_blocks,
        dtype,
    )


def _mobilenetv3(config: ModelConfig, dtype: Any, scan_blocks: bool) -> nn.Module:
    del scan_blocks  # its blocks differ too much to be a loop
    variant = mobilenetv3.VARIANTS[config.variant]
    return mobilenetv3.MobileNetV3(
        variant,
        config.features or variant.features,
        config.cbam,
        _drop_path(config, 0.0),
        1e-5 if config.convention == "timm" else 1e-3,
        dtype,
    )


_BUILDERS = {
    "convnext_tiny": _convnext,
    "efficientnetv2_s": _efficientnetv2,
    "mobilenetv3_large": _mobilenetv3,
}
# The rates of torchvision, from which the paper takes its weights.
_DROPOUT = {"convnext_tiny": 0.0, "efficientnetv2_s": 0.2, "mobilenetv3_large": 0.2}


def _drop_path(config: ModelConfig, published: float) -> float:
    """The configured rate of stochastic depth; small variants have few blocks to spare."""
    if config.drop_path is not None:
        return config.drop_path
    return published if config.variant == "full" else 0.0


def _check(config: ModelConfig) -> None:
    for name, kind in (("backbone", Backbone), ("variant", Variant), ("convention", Convention)):
        value = getattr(config, name)
        if value not in get_args(kind):
            raise ValueError(f"{name}: {value!r} is not one of {', '.join(get_args(kind))}")
    if config.in_channels not in (1, 3):
        raise ValueError(f"in_channels: {config.in_channels} is neither 1 (grey) nor 3 (colour)")
    if config.features is not None and config.features < 1:
        raise ValueError(f"features: {config.features} is not a width of at least 1")
    for name in ("dropout", "drop_path"):
        rate = getattr(config, name)
        if rate is not None and not 0.0 <= rate < 1.0:
            raise ValueError(f"{name}: {rate} is not a rate from 0 to below 1")
