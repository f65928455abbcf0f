"""Weights in what training scripts save: wrappers, averaged weights, prefixes, types."""

from typing import Any

import jax
import ml_dtypes
import numpy as np
import pytest
import timm
import torch
from safetensors.numpy import save_file as save_numpy

from elbow_core.errors import UserError
from elbow_jax.models import ModelConfig, build_model
from elbow_jax.porting import port_backbone, read_weights, to_torch
from elbow_jax.porting.checkpoints import read_tensors, select_weights
from tests.support.random_networks import variable_shapes
from tests.support.weight_files import save_torch

PLAIN = {"conv.weight": torch.arange(4.0), "bn.num_batches_tracked": torch.tensor(3)}
AVERAGED = {"conv.weight": torch.arange(4.0) + 0.5, "bn.num_batches_tracked": torch.tensor(3)}


def prefixed(prefix: str, state: dict[str, Any]) -> dict[str, Any]:
    return {prefix + name: value for name, value in state.items()}


@pytest.mark.parametrize(
    "content",
    [
        PLAIN,
        prefixed("module.", PLAIN),
        prefixed("_orig_mod.module.", PLAIN),
        prefixed("module._orig_mod.model.", PLAIN),
        {"state_dict": prefixed("model.", PLAIN), "epoch": 3, "hyper_parameters": {"lr": 0.1}},
        {"epoch": 1, "model_state_dict": PLAIN, "optimizer_state_dict": {"state": {}}},
        {"model": PLAIN, "arch": "mobilenetv3_large_100"},
        {"state_dict": {"model": prefixed("module.", PLAIN)}},
        {"state_dict": PLAIN, "state_dict_ema": None},
        {"conv._orig_mod.weight": PLAIN["conv.weight"]},
        prefixed("_fsdp_wrapped_module._checkpoint_wrapped_module.", PLAIN),
        {"conv.weight": torch.nn.Parameter(torch.arange(4.0))},
        {"conv.weight": torch.arange(4.0, dtype=torch.float64)},
        {"conv.weight": torch.arange(4.0, dtype=torch.bfloat16)},
        {"conv.weight": torch.arange(4.0, dtype=torch.float16)},
    ],
)
def test_weights_are_found_in_what_training_scripts_save(tmp_path, content):
    tensors = read_tensors(save_torch(tmp_path, content)).tensors
    assert tensors["conv.weight"].dtype == np.float32
    assert tensors["conv.weight"].tolist() == [0, 1, 2, 3]
    assert tensors.keys() <= PLAIN.keys()


@pytest.mark.parametrize(
    ("content", "taken"),
    [
        (
            {"state_dict": PLAIN, "state_dict_ema": AVERAGED},
            "state_dict_ema (averaged weights), not state_dict",
        ),
        (
            {"model": PLAIN, "model_ema": prefixed("module.", AVERAGED) | {"n_averaged": 5}},
            "model_ema (averaged weights), not model",
        ),
        (
            {"state_dict": prefixed("model.", PLAIN) | prefixed("ema_model.module.", AVERAGED)},
            "state_dict.ema_model (averaged weights), not model",
        ),
    ],
)
def test_averaged_weights_are_taken_before_those_as_trained_and_it_is_said(content, taken):
    selection = select_weights(content)
    assert selection.tensors == AVERAGED
    assert str(selection) == taken


def test_choice_of_averaged_weights_is_timms(tmp_path):
    file = save_torch(tmp_path, {"model": PLAIN, "model_ema": prefixed("module.", AVERAGED)})
    expected = timm.models.load_state_dict(str(file))
    tensors = read_tensors(file).tensors
    assert tensors.keys() == expected.keys()
    assert all(np.array_equal(tensors[name], expected[name]) for name in expected)


def test_names_that_differ_in_their_prefix_alone_are_refused(tmp_path):
    content = {"conv.weight": torch.ones(1), "_orig_mod.conv.weight": torch.zeros(1)}
    with pytest.raises(UserError, match=r"two tensors are named conv\.weight without"):
        read_tensors(save_torch(tmp_path, content))


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_colour_stem_in_bfloat16_is_summed_in_float32(tmp_path, suffix):
    colour = ModelConfig(
        backbone="mobilenetv3_large", variant="small", cbam=False, features=256, in_channels=3
    )
    grey = build_model(ModelConfig(backbone="mobilenetv3_large", variant="small", cbam=False))
    module, generator = build_model(colour), np.random.default_rng(0)
    shapes = variable_shapes(module, 3)
    variables = jax.tree.map(lambda leaf: generator.normal(size=leaf.shape), shapes)
    prefix = "backbone.network."
    state = {
        name.removeprefix(prefix): value.astype(ml_dtypes.bfloat16)
        for name, value in to_torch(variables, module).items()
        if name.startswith(prefix) and not name.endswith("num_batches_tracked")
    }
    file = tmp_path / f"weights{suffix}"
    if suffix == ".safetensors":
        save_numpy(state, file)
    else:
        torch.save(
            {k: torch.tensor(v.astype(np.float32)).bfloat16() for k, v in state.items()}, file
        )
    expected = state["conv_stem.weight"].astype(np.float64).sum(1, keepdims=True)
    initial = jax.tree.map(lambda leaf: np.zeros(leaf.shape), variable_shapes(grey))
    for tensors in (state, read_weights(str(file), "mobilenetv3_large").tensors):
        stem = port_backbone(tensors, grey, initial)["params"]["backbone"]["stem"]["conv"]["kernel"]
        assert np.linalg.norm(stem - expected.transpose(2, 3, 1, 0)) < 1e-6 * np.linalg.norm(
            expected
        )
