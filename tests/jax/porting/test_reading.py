"""Files of weights as people have them: wrappers, prefixes, types, stated architectures."""

import argparse
import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import jax
import ml_dtypes
import numpy as np
import pytest
import timm
import torch
from safetensors.numpy import save_file as save_numpy
from safetensors.torch import save_file
from timm.models.convnext import checkpoint_filter_fn

from elbow_core.errors import UserError
from elbow_jax.models import ModelConfig, build_model
from elbow_jax.porting import port_backbone, read_weights, to_torch, write_ported
from elbow_jax.porting.__main__ import main
from elbow_jax.porting.facebook_layout import from_facebook
from elbow_jax.porting.state_dicts import select_weights
from elbow_jax.porting.tensor_files import read_tensors
from tests.support.random_networks import variable_shapes

PLAIN = {"conv.weight": torch.arange(4.0), "bn.num_batches_tracked": torch.tensor(3)}
AVERAGED = {"conv.weight": torch.arange(4.0) + 0.5, "bn.num_batches_tracked": torch.tensor(3)}


def prefixed(prefix: str, state: dict[str, Any]) -> dict[str, Any]:
    return {prefix + name: value for name, value in state.items()}


def save(folder: Path, content: Any, name: str = "weights.pth") -> Path:
    torch.save(content, folder / name)
    return folder / name


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
    tensors = read_tensors(save(tmp_path, content)).tensors
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
    file = save(tmp_path, {"model": PLAIN, "model_ema": prefixed("module.", AVERAGED)})
    expected = timm.models.load_state_dict(str(file))
    tensors = read_tensors(file).tensors
    assert tensors.keys() == expected.keys()
    assert all(np.array_equal(tensors[name], expected[name]) for name in expected)


def test_names_that_differ_in_their_prefix_alone_are_refused(tmp_path):
    content = {"conv.weight": torch.ones(1), "_orig_mod.conv.weight": torch.zeros(1)}
    with pytest.raises(UserError, match=r"two tensors are named conv\.weight without"):
        read_tensors(save(tmp_path, content))


@pytest.mark.parametrize(
    "kind", [torch.float8_e4m3fn, torch.float8_e5m2, torch.int8, torch.complex64, torch.bool]
)
def test_type_that_is_not_one_of_weights_is_refused_by_name(tmp_path, kind):
    state = {"conv.weight": torch.zeros(2).to(kind)}
    name = str(kind).removeprefix("torch.")
    with pytest.raises(UserError, match=f"conv.weight is stored as {name}"):
        read_tensors(save(tmp_path, state))
    if kind is not torch.complex64:
        save_file(state, tmp_path / "weights.safetensors")
        with pytest.raises(UserError, match=r"conv\.weight is stored as (F8_E\dM\d|I8|BOOL)"):
            read_tensors(tmp_path / "weights.safetensors")


def test_sparse_tensor_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"stored as float32, torch\.sparse_coo"):
        read_tensors(save(tmp_path, {"conv.weight": torch.eye(3).to_sparse()}))


@pytest.mark.parametrize("content", ["namespace", "module"])
def test_refused_pickle_becomes_readable_by_the_command_in_the_message(tmp_path, content):
    """The command is run as the message shows it, in a folder with a space in its name."""
    folder = tmp_path / "my weights"
    folder.mkdir()
    layer = torch.nn.Linear(2, 1)
    whole = {"state_dict": layer.state_dict(), "arch": "x", "args": argparse.Namespace(lr=1)}
    file = save(folder, whole if content == "namespace" else layer)
    with pytest.raises(UserError, match="holds Python objects") as caught:
        read_tensors(file)
    message = str(caught.value)
    assert "\n" not in message
    assert ("argparse.Namespace" if content == "namespace" else "torch.nn") in message
    (command,) = re.findall(r"`(python .*)`", message)
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    subprocess.run(shlex.split(command), check=True, env=environment)
    read = read_tensors(folder / "weights_weights.pth")
    assert read.architecture == ("x" if content == "namespace" else None)
    assert np.array_equal(read.tensors["weight"], layer.weight.detach())


class _Caller:
    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, ("true",)


def test_pickle_that_calls_a_command_is_refused_without_advice_to_open_it(tmp_path):
    with pytest.raises(UserError, match=r"reading it would call posix\.system") as caught:
        read_tensors(save(tmp_path, {"conv.weight": _Caller()}))
    assert "python -c" not in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"text", b"PK\x03\x04", b"\x80\x02}q\x00."])
@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_foreign_and_truncated_files_are_one_line(tmp_path, content, suffix):
    file = tmp_path / f"weights{suffix}"
    file.write_bytes(content)
    with pytest.raises(UserError, match="weights") as caught:
        read_tensors(file)
    assert "\n" not in str(caught.value)


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


def weights_of(folder: Path, **metadata: str) -> Path:
    file = folder / "weights.safetensors"
    save_numpy({"conv_stem.weight": np.zeros((1, 3, 1, 1), np.float32)}, file, metadata)
    return file


CASES = [
    ("mobilenetv3_large", "mobilenetv3_large_100", "timm"),
    ("mobilenetv3_large", "timm/mobilenetv3_large_100.ra_in1k", "timm"),
    ("mobilenetv3_large", "mobilenet_v3_large", "torchvision"),
    ("efficientnetv2_s", "tf_efficientnetv2_s.in1k", "timm"),
    ("efficientnetv2_s", "efficientnet_v2_s", "torchvision"),
    ("convnext_tiny", "convnext_tiny.fb_in1k", "timm"),
]
REFUSED = [
    ("mobilenetv3_large", "tf_mobilenetv3_large_100", "pads as TensorFlow does"),
    ("mobilenetv3_large", "tf_mobilenetv3_large_100.in1k", "take those of mobilenetv3_large_100"),
    ("mobilenetv3_large", "mobilenetv3_rw", "other gates"),
    ("mobilenetv3_large", "convnext_tiny", "the weights of convnext_tiny, not of mobilenetv3"),
    ("efficientnetv2_s", "efficientnetv2_s", "epsilon of 1e-5"),
    ("efficientnetv2_s", "efficientnetv2_rw_s", "other first and last stages"),
    ("convnext_tiny", "convnext_tiny_hnf", "normalises before pooling"),
    ("convnext_tiny", "convnextv2_tiny.fcmae", "normalises responses"),
]
PLACES = ("metadata", "checkpoint", "config.json", "option")


def read_stated(folder: Path, place: str, backbone: Any, name: str) -> Any:
    """Read a file whose architecture is stated in one place."""
    file = weights_of(folder, **({"architecture": name} if place == "metadata" else {}))
    if place == "checkpoint":
        file.unlink()
        state = {"conv_stem.weight": torch.zeros(1, 3, 1, 1)}
        file = save(folder, {"arch": name, "state_dict": state})
    elif place == "config.json":
        (folder / "config.json").write_text(json.dumps({"architecture": name}))
    return read_weights(str(file), backbone, name if place == "option" else None)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(("backbone", "name", "convention"), CASES)
def test_stated_architecture_decides_the_convention(tmp_path, place, backbone, name, convention):
    assert read_stated(tmp_path, place, backbone, name).convention == convention


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(("backbone", "name", "message"), REFUSED)
def test_architecture_that_no_network_computes_is_refused(tmp_path, place, backbone, name, message):
    with pytest.raises(UserError, match=message):
        read_stated(tmp_path, place, backbone, name)


@pytest.mark.parametrize("stated", ["mobilenetv3", "MyNetwork", ""])
def test_class_of_a_network_states_no_architecture(tmp_path, stated):
    weights = read_weights(str(weights_of(tmp_path, arch=stated)), "mobilenetv3_large")
    assert weights.stated_convention is None
    with pytest.raises(UserError, match="mobilenetv3_large_100 and tf_mobilenetv3_large_100 have"):
        _ = weights.convention


def test_convnext_needs_no_name_since_all_compute_the_same(tmp_path):
    assert read_weights(str(weights_of(tmp_path)), "convnext_tiny").convention == "timm"


def test_places_that_disagree_are_named(tmp_path):
    file = weights_of(tmp_path, architecture="mobilenetv3_large_100")
    (tmp_path / "config.json").write_text('{"architecture": "tf_mobilenetv3_large_100"}')
    with pytest.raises(
        UserError, match=r"is of two networks: .* says mobile.*config\.json says tf"
    ):
        read_weights(str(file), "mobilenetv3_large")


def test_config_beside_several_files_describes_the_hubs_one(tmp_path):
    file = weights_of(tmp_path)
    (tmp_path / "config.json").write_text('{"architecture": "tf_mobilenetv3_large_100"}')
    (tmp_path / "model.safetensors").write_bytes(file.read_bytes())
    assert read_weights(str(file), "mobilenetv3_large").stated_convention is None
    with pytest.raises(UserError, match="pads as TensorFlow"):
        read_weights(str(tmp_path / "model.safetensors"), "mobilenetv3_large")


def test_unknown_option_lists_the_known_names(tmp_path):
    with pytest.raises(UserError, match=r"resnet50: is not the name of .*mobilenetv3_large_100"):
        read_weights(str(weights_of(tmp_path)), "mobilenetv3_large", "resnet50")


def test_torchvisions_names_contradict_timms_architecture(tmp_path):
    save_numpy({"features.0.0.weight": np.zeros(1, np.float32)}, tmp_path / "w.safetensors")
    with pytest.raises(UserError, match="has torchvision's names of tensors"):
        read_weights(str(tmp_path / "w.safetensors"), "mobilenetv3_large", "mobilenetv3_large_100")


def test_ported_file_keeps_what_was_stated_and_what_was_not(tmp_path, capsys):
    state = timm.create_model("mobilenetv3_large_100").state_dict()
    save_file(state, tmp_path / "weights.safetensors")
    network = ["--backbone", "mobilenetv3_large"]
    source = ["--source", str(tmp_path / "weights.safetensors")]
    assert main([*source, *network, "--out", str(tmp_path / "unstated")]) == 0
    assert "does not say which network it is of" in capsys.readouterr().out
    ported = str(tmp_path / "unstated/weights.safetensors")
    assert read_weights(ported, "mobilenetv3_large").stated_convention is None
    named = read_weights(ported, "mobilenetv3_large", "mobilenetv3_large_100")
    write_ported(tmp_path / "stated.safetensors", named, 1)
    again = read_weights(str(tmp_path / "stated.safetensors"), "mobilenetv3_large")
    assert again.convention == "timm"
    assert again.origin["ported_source"] == ported
    with pytest.raises(UserError, match="was ported as timm's network, not as torchvision's"):
        read_weights(again.origin["source"], "mobilenetv3_large", "mobilenet_v3_large")


def test_commit_of_the_hub_is_recorded_where_it_is_known(tmp_path):
    commit = "a" * 40
    cached = tmp_path / "models--timm--x" / "snapshots" / commit
    cached.mkdir(parents=True)
    origin = read_weights(str(weights_of(cached)), "convnext_tiny").origin
    assert origin["revision"] == commit
    local = tmp_path / "local"
    record = local / ".cache/huggingface/download/weights.safetensors.metadata"
    record.parent.mkdir(parents=True)
    file = weights_of(local)
    assert read_weights(str(file), "convnext_tiny").origin["revision"] == ""
    record.write_text(f"{commit}\n{origin['sha256']}\n1.0\n")
    assert read_weights(str(file), "convnext_tiny").origin["revision"] == commit
    record.write_text(f"{commit}\n{'b' * 64}\n1.0\n")  # of a file that has been replaced
    assert read_weights(str(file), "convnext_tiny").origin["revision"] == ""


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
    weights = read_weights(str(save(tmp_path, {"model": original})), "convnext_tiny")
    assert weights.tensors.keys() == expected.keys()
