"""Rename the tensors of Facebook's original ConvNeXt files to timm's names."""

import re
from collections.abc import Mapping

import numpy as np

_MARK = "downsample_layers.0.0.weight"  # in every file of that layout, and in no other

_RENAMED = (
    (r"downsample_layers\.0\.(\d)\.(.+)", r"stem.\1.\2"),
    (r"downsample_layers\.(\d)\.(\d)\.(.+)", r"stages.\1.downsample.\2.\3"),
    (r"stages\.(\d)\.(\d+)\.dwconv\.(.+)", r"stages.\1.blocks.\2.conv_dw.\3"),
    (r"stages\.(\d)\.(\d+)\.pwconv([12])\.(.+)", r"stages.\1.blocks.\2.mlp.fc\3.\4"),
    (r"stages\.(\d)\.(\d+)\.(norm\..+|gamma)", r"stages.\1.blocks.\2.\3"),
    (r"norm\.(.+)", r"head.norm.\1"),
    (r"head\.(weight|bias)", r"head.fc.\1"),
)


def has_facebook_names(state_dict: Mapping[str, np.ndarray]) -> bool:
    """Return whether a checkpoint is in Facebook's layout."""
    return _MARK in state_dict


def from_facebook(state_dict: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return a ConvNeXt checkpoint under timm's names; unknown names are kept.

    Reference: ``models/convnext.py`` of facebookresearch/ConvNeXt.
    """
    return {_rename(key): value for key, value in state_dict.items()}


def _rename(key: str) -> str:
    for pattern, name in _RENAMED:
        if match := re.fullmatch(pattern, key):
            return match.expand(name)
    return key
