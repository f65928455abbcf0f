"""Rename torchvision's tensors of the three networks to timm's names.

torchvision numbers the parts of a network by their position in nested sequences. The two libraries
also compute different things: see `ModelConfig.convention`.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from elbow_jax.models.efficientnetv2 import EfficientNetV2
from elbow_jax.models.mobilenetv3 import MobileNetV3

_MARK = "features.0.0.weight"  # in every file of the three networks, and in none of timm's


def has_torchvision_names(state_dict: Mapping[str, np.ndarray]) -> bool:
    """Return whether a checkpoint is in torchvision's layout."""
    return _MARK in state_dict


def from_torchvision(state_dict: Mapping[str, np.ndarray], module: Any) -> dict[str, np.ndarray]:
    """Return a checkpoint in torchvision's layout under timm's names; unknown names are kept.

    Args:
        state_dict: tensors by torchvision's names.
        module: a single network of `build_model`, of the same architecture.
    """
    backbone = module.backbone
    if isinstance(backbone, EfficientNetV2):
        names = _efficientnetv2(backbone)
    elif isinstance(backbone, MobileNetV3):
        names = _mobilenetv3(backbone)
    else:
        names = _convnext(backbone)
    renamed = {}
    for key, value in state_dict.items():
        part, _, leaf = key.rpartition(".")
        if leaf == "layer_scale":
            leaf, value = "gamma", value.reshape(-1)
        renamed[f"{names[part]}.{leaf}" if part in names else key] = value
    return renamed


def _convnext(backbone: Any) -> dict[str, str]:
    names = {"features.0.0": "stem.0", "features.0.1": "stem.1"}
    parts = {"": "", ".block.0": ".conv_dw", ".block.2": ".norm"}
    parts |= {".block.3": ".mlp.fc1", ".block.5": ".mlp.fc2"}
    for stage, depth in enumerate(backbone.variant.depths):
        if stage > 0:
            for number in (0, 1):
                names[f"features.{2 * stage}.{number}"] = f"stages.{stage}.downsample.{number}"
        for block in range(depth):
            for old, new in parts.items():
                name = f"features.{2 * stage + 1}.{block}{old}"
                names[name] = f"stages.{stage}.blocks.{block}{new}"
    return names | {"classifier.0": "head.norm", "classifier.2": "head.fc"}


def _efficientnetv2(backbone: EfficientNetV2) -> dict[str, str]:
    names = _sequence("features.0", "conv_stem", "bn1")
    for stage, shape in enumerate(backbone.variant.stages):
        for block in range(shape.depth):
            old, new = f"features.{stage + 1}.{block}.block", f"blocks.{stage}.{block}"
            if shape.kind == "plain":
                names |= _sequence(f"{old}.0", f"{new}.conv", f"{new}.bn1")
            elif shape.kind == "fused":
                names |= _sequence(f"{old}.0", f"{new}.conv_exp", f"{new}.bn1")
                names |= _sequence(f"{old}.1", f"{new}.conv_pwl", f"{new}.bn2")
            else:
                names |= _inverted_residual(old, new, squeeze=True)
    last = len(backbone.variant.stages) + 1
    names |= _sequence(f"features.{last}", "conv_head", "bn2")
    return names | {"classifier.1": "classifier"}


def _mobilenetv3(backbone: MobileNetV3) -> dict[str, str]:
    names = _sequence("features.0", "conv_stem", "bn1")
    number = 1
    for stage, blocks in enumerate(backbone.variant.stages):
        for position, block in enumerate(blocks):
            old, new = f"features.{number}.block", f"blocks.{stage}.{position}"
            if stage == 0:
                names |= _sequence(f"{old}.0", f"{new}.conv_dw", f"{new}.bn1")
                names |= _sequence(f"{old}.1", f"{new}.conv_pw", f"{new}.bn2")
            else:
                names |= _inverted_residual(old, new, block.squeeze)
            number += 1
    last = f"blocks.{len(backbone.variant.stages)}.0"
    names |= _sequence(f"features.{number}", f"{last}.conv", f"{last}.bn1")
    return names | {"classifier.0": "conv_head", "classifier.3": "classifier"}


def _inverted_residual(old: str, new: str, squeeze: bool) -> dict[str, str]:
    names = _sequence(f"{old}.0", f"{new}.conv_pw", f"{new}.bn1")
    names |= _sequence(f"{old}.1", f"{new}.conv_dw", f"{new}.bn2")
    if squeeze:
        names |= {f"{old}.2.fc1": f"{new}.se.conv_reduce"}
        names |= {f"{old}.2.fc2": f"{new}.se.conv_expand"}
    project = 3 if squeeze else 2
    return names | _sequence(f"{old}.{project}", f"{new}.conv_pwl", f"{new}.bn3")


def _sequence(old: str, convolution: str, norm: str) -> dict[str, str]:
    return {f"{old}.0": convolution, f"{old}.1": norm}
