"""Facebook's original ConvNeXt files under timm's names."""

import re

import numpy as np
import timm
from timm.models.convnext import checkpoint_filter_fn

from elbow_jax.porting import read_weights
from elbow_jax.porting.layouts import from_facebook
from tests.support.weight_files import save_torch


def to_facebook(name: str) -> str:
    """Return Facebook's name of a tensor of timm's ConvNeXt."""
    for pattern, replacement in (
        (r"stem\.", "downsample_layers.0."),
        (r"stages\.(\d)\.downsample", r"downsample_layers.\1"),
        (r"stages\.(\d)\.blocks", r"stages.\1"),
        (r"conv_dw", "dwconv"),
        (r"mlp\.fc", "pwconv"),
        (r"head\.norm", "norm"),
        (r"head\.fc", "head"),
    ):
        name = re.sub(pattern, replacement, name)
    return name


def test_facebooks_convnext_is_renamed_as_timm_renames_it(tmp_path):
    network = timm.create_model("convnext_tiny")
    original = {to_facebook(name): value for name, value in network.state_dict().items()}
    assert {"downsample_layers.3.1.weight", "stages.2.8.pwconv2.bias", "norm.bias"} <= set(original)
    expected = checkpoint_filter_fn(original, network)
    renamed = from_facebook({name: value.numpy() for name, value in original.items()})
    assert renamed.keys() == expected.keys()
    assert all(np.array_equal(renamed[name], expected[name]) for name in expected)
    weights = read_weights(str(save_torch(tmp_path, {"model": original})), "convnext_tiny")
    assert weights.tensors.keys() == expected.keys()
