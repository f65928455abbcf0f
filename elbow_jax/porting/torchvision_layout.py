"""torchvision's names for the three networks, put into timm's.

torchvision numbers the parts of a network by their place in nested sequences. The two libraries
also differ in what they compute: see `ModelConfig.convention`.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from elbow_jax.models.efficientnetv2 import EfficientNetV2
from elbow_jax.models.mobilenetv3 import MobileNetV3


def from_torchvision(state_dict: Mapping[str, np.ndarray], module: Any) -> dict[str, np.ndarray]:
    """A checkpoint in torchvision's layout under timm's names; names it does not know stay.

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
        place, _, leaf = key.rpartition(".")
        if leaf == "layer_scale":
            leaf, value = "gamma", value.reshape(-1)
        renamed[f"{names[place]}.{leaf}" if place in names else key] = value
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
            for theirs, ours in parts.items():
                name = f"features.{2 * stage + 1}.{block}{theirs}"
                names[name] = f"stages.{stage}.blocks.{block}{ours}"
    return names | {"classifier.0": "head.norm", "classifier.2": "head.fc"}


def _efficientnetv2(backbone: EfficientNetV2) -> dict[str, str]:
    names = _sequence("features.0", "conv_stem", "bn1")
    for stage, shape in enumerate(backbone.variant.stages):
        for block in range(shape.depth):
            theirs, ours = f"features.{stage + 1}.{block}.block", f"blocks.{stage}.{block}"
            if shape.kind == "plain":
                names |= _sequence(f"{theirs}.0", f"{ours}.conv", f"{ours}.bn1")
            elif shape.kind == "fused":
                names |= _sequence(f"{theirs}.0", f"{ours}.conv_exp", f"{ours}.bn1")
                names |= _sequence(f"{theirs}.1", f"{ours}.conv_pwl", f"{ours}.bn2")
            else:
                names |= _inverted_residual(theirs, ours, squeeze=True)
    last = len(backbone.variant.stages) + 1
    names |= _sequence(f"features.{last}", "conv_head", "bn2")
    return names | {"classifier.1": "classifier"}


def _mobilenetv3(backbone: MobileNetV3) -> dict[str, str]:
    names = _sequence("features.0", "conv_stem", "bn1")
    number = 1
    for stage, blocks in enumerate(backbone.variant.stages):
        for position, block in enumerate(blocks):
            theirs, ours = f"features.{number}.block", f"blocks.{stage}.{position}"
            if stage == 0:
                names |= _sequence(f"{theirs}.0", f"{ours}.conv_dw", f"{ours}.bn1")
                names |= _sequence(f"{theirs}.1", f"{ours}.conv_pw", f"{ours}.bn2")
            else:
                names |= _inverted_residual(theirs, ours, block.squeeze)
            number += 1
    last = f"blocks.{len(backbone.variant.stages)}.0"
    names |= _sequence(f"features.{number}", f"{last}.conv", f"{last}.bn1")
    return names | {"classifier.0": "conv_head", "classifier.3": "classifier"}


def _inverted_residual(theirs: str, ours: str, squeeze: bool) -> dict[str, str]:
    names = _sequence(f"{theirs}.0", f"{ours}.conv_pw", f"{ours}.bn1")
    names |= _sequence(f"{theirs}.1", f"{ours}.conv_dw", f"{ours}.bn2")
    if squeeze:
        names |= {f"{theirs}.2.fc1": f"{ours}.se.conv_reduce"}
        names |= {f"{theirs}.2.fc2": f"{ours}.se.conv_expand"}
    project = 3 if squeeze else 2
    return names | _sequence(f"{theirs}.{project}", f"{ours}.conv_pwl", f"{ours}.bn3")


def _sequence(theirs: str, convolution: str, norm: str) -> dict[str, str]:
    return {f"{theirs}.0": convolution, f"{theirs}.1": norm}
