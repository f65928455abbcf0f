"""The architecture of a file: stated by it, beside it or by the user, and never guessed."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import timm
import torch
from safetensors.numpy import save_file as save_numpy
from safetensors.torch import save_file

from elbow_core.errors import UserError
from elbow_jax.porting import read_weights, write_ported
from elbow_jax.porting.__main__ import main
from elbow_jax.porting.checkpoints import read_tensors
from tests.support.weight_files import save_stem, save_torch

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
    file = save_stem(folder, **({"architecture": name} if place == "metadata" else {}))
    if place == "checkpoint":
        file.unlink()
        state = {"conv_stem.weight": torch.zeros(1, 3, 1, 1)}
        file = save_torch(folder, {"arch": name, "state_dict": state})
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
    weights = read_weights(str(save_stem(tmp_path, arch=stated)), "mobilenetv3_large")
    assert weights.stated_convention is None
    with pytest.raises(UserError, match="mobilenetv3_large_100 and tf_mobilenetv3_large_100 have"):
        _ = weights.convention


def test_convnext_needs_no_name_since_all_compute_the_same(tmp_path):
    assert read_weights(str(save_stem(tmp_path)), "convnext_tiny").convention == "timm"


def test_places_that_disagree_are_named(tmp_path):
    file = save_stem(tmp_path, architecture="mobilenetv3_large_100")
    (tmp_path / "config.json").write_text('{"architecture": "tf_mobilenetv3_large_100"}')
    with pytest.raises(
        UserError, match=r"is of two networks: .* says mobile.*config\.json says tf"
    ):
        read_weights(str(file), "mobilenetv3_large")


def test_config_beside_several_files_describes_the_hubs_one(tmp_path):
    file = save_stem(tmp_path)
    (tmp_path / "config.json").write_text('{"architecture": "tf_mobilenetv3_large_100"}')
    (tmp_path / "model.safetensors").write_bytes(file.read_bytes())
    assert read_weights(str(file), "mobilenetv3_large").stated_convention is None
    with pytest.raises(UserError, match="pads as TensorFlow"):
        read_weights(str(tmp_path / "model.safetensors"), "mobilenetv3_large")


@pytest.mark.parametrize("content", [b"{", b"\xff", b"[" * 99_999])
def test_damaged_config_beside_the_weights_is_named(tmp_path, content):
    file = save_stem(tmp_path)
    (tmp_path / "config.json").write_bytes(content)
    with pytest.raises(UserError, match=r"config\.json: cannot be read as JSON"):
        read_weights(str(file), "mobilenetv3_large")


def test_unknown_option_lists_the_known_names(tmp_path):
    with pytest.raises(UserError, match=r"resnet50: is not the name of .*mobilenetv3_large_100"):
        read_weights(str(save_stem(tmp_path)), "mobilenetv3_large", "resnet50")


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
    assert again.origin["ported_source"] == "weights.safetensors"  # without its place
    with pytest.raises(UserError, match="was ported as timm's network, not as torchvision's"):
        read_weights(again.origin["source"], "mobilenetv3_large", "mobilenet_v3_large")


def test_damaged_ported_file_is_refused(tmp_path):
    state = timm.create_model("mobilenetv3_large_100").state_dict()
    save_file(state, tmp_path / "weights.safetensors")
    weights = read_weights(
        str(tmp_path / "weights.safetensors"), "mobilenetv3_large", "mobilenetv3_large_100"
    )
    sound, damaged = tmp_path / "ported.safetensors", str(tmp_path / "damaged.safetensors")
    write_ported(sound, weights, 1)
    content = read_tensors(sound)
    network = content.metadata["elbow_jax.network"]
    for text in (
        "",
        "[]",
        "{}",
        "[" * 100_000,
        network.replace("mobilenetv3_large", "resnet"),
        network.replace('"in_channels": 1', '"in_channels": "x"'),
        network.replace('"full"', '"small"'),
    ):
        metadata = content.metadata | {"elbow_jax.network": text}
        save_numpy(content.tensors, damaged, metadata)
        with pytest.raises(UserError, match="is damaged: its metadata describe no network"):
            read_weights(damaged, "mobilenetv3_large")
    name = "params/backbone/stem/conv/kernel"
    assert name in content.tensors
    for tensors in (
        {key: value for key, value in content.tensors.items() if key != name},
        content.tensors | {name: np.zeros((3, 3, 2, 16), np.float32)},
        content.tensors | {"params/extra": np.zeros(1, np.float32)},
    ):
        save_numpy(tensors, damaged, content.metadata)
        with pytest.raises(UserError, match="is damaged: params/"):
            read_weights(damaged, "mobilenetv3_large")


def test_commit_of_the_hub_is_recorded_where_it_is_known(tmp_path):
    commit = "a" * 40
    cached = tmp_path / "models--timm--x" / "snapshots" / commit
    cached.mkdir(parents=True)
    origin = read_weights(str(save_stem(cached)), "convnext_tiny").origin
    assert origin["revision"] == commit
    local = tmp_path / "local"
    record = local / ".cache/huggingface/download/weights.safetensors.metadata"
    record.parent.mkdir(parents=True)
    file = save_stem(local)
    assert read_weights(str(file), "convnext_tiny").origin["revision"] == ""
    record.write_text(f"{commit}\n{origin['sha256']}\n1.0\n")
    assert read_weights(str(file), "convnext_tiny").origin["revision"] == commit
    record.write_text(f"{commit}\n{'b' * 64}\n1.0\n")  # of a file that has been replaced
    assert read_weights(str(file), "convnext_tiny").origin["revision"] == ""
