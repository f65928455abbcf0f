"""`python -m elbow_jax.porting` on files of random models."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest
import timm
import torch
import torchvision
from safetensors.torch import load_file, save_file

from elbow_core.dataset import NOTHING_SEEN
from elbow_core.errors import UserError
from elbow_core.radiographs import Preprocessing
from elbow_jax.models import ModelConfig, build_model
from elbow_jax.porting import build_twin, plain_network, read_weights, start_from_weights
from elbow_jax.porting.__main__ import main
from elbow_jax.scoring import write_released
from tests.support import tolerances
from tests.support.random_networks import (
    ported,
    random_images,
    random_twin,
    randomise,
    relative_error,
    to_nchw,
    to_nhwc,
    variable_shapes,
)


def port(source: Path, out: Path) -> None:
    network = ["--backbone", "mobilenetv3_large"]
    assert main(["--source", str(source), *network, "--out", str(out)]) == 0


def feature_map(source: Path, backbone: Any, convention: Any, image: np.ndarray) -> Any:
    """Return the feature map of a grey network that starts from a ported file."""
    config = plain_network(backbone, convention, in_channels=1)
    module = build_model(config)
    zeros = jax.tree.map(lambda leaf: np.zeros(leaf.shape, np.float32), variable_shapes(module))
    variables = start_from_weights(read_weights(str(source), backbone), config, zeros)
    return jax.jit(module.apply)(variables, image)[1]["feature_map"]


def test_timm_checkpoint_ported_by_the_command_gives_timms_features(tmp_path, capsys):
    image = random_images(2, 96, 96)
    colour = to_nchw(np.repeat(image, 3, axis=-1))
    published = randomise(timm.create_model("mobilenetv3_large_100"), colour)
    save_file(published.state_dict(), tmp_path / "random.safetensors")
    port(tmp_path / "random.safetensors", tmp_path / "weights")
    written = tmp_path / "weights/random.safetensors"
    printed = capsys.readouterr().out
    assert f"wrote    {written}" in printed
    assert "sha256   " in printed
    with torch.no_grad():
        expected = published.forward_features(colour)  # pyright: ignore[reportCallIssue]
    actual = feature_map(written, "mobilenetv3_large", "timm", image)
    assert relative_error(actual, to_nhwc(expected)) < tolerances.NETWORK
    assert [path.name for path in written.parent.iterdir()] == ["random.safetensors"]


def test_torchvision_checkpoint_in_torchs_format_gives_torchvisions_features(tmp_path):
    image = random_images(1, 64, 64)
    colour = to_nchw(np.repeat(image, 3, axis=-1))
    published = randomise(torchvision.models.mobilenet_v3_large(), colour)
    torch.save(published.state_dict(), tmp_path / "random.pth")
    port(tmp_path / "random.pth", tmp_path)
    with torch.no_grad():
        expected = published.features(colour)  # pyright: ignore[reportCallIssue]
    written = tmp_path / "random.safetensors"
    actual = feature_map(written, "mobilenetv3_large", "torchvision", image)
    assert relative_error(actual, to_nhwc(expected)) < tolerances.NETWORK


def test_trained_run_loads_strictly_into_the_torch_twin_and_gives_equal_logits(tmp_path):
    config = ModelConfig(backbone="mobilenetv3_large", variant="small")
    _, variables = ported(config, random_twin(config))
    write_released(
        tmp_path / "run" / "model",
        variables,
        NOTHING_SEEN,
        architecture=config,
        preprocessing=Preprocessing(size=64),
        thresholds={"default": 0.5},
        labels=("normal", "injury"),
        validation={"auroc": 0.5},
        step=1,
    )
    main(["--to-torch", str(tmp_path / "run"), "--out", str(tmp_path)])
    twin = build_twin(config).eval()
    twin.load_state_dict(load_file(tmp_path / "run.torch.safetensors"), strict=True)
    image = random_images(2, 64, 64)
    actual, _ = jax.jit(build_model(config).apply)(variables, image)
    with torch.no_grad():
        expected, _ = twin(to_nchw(image))
    assert relative_error(actual, expected) < tolerances.NETWORK


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--source", "nowhere.pth"], "nowhere.pth: neither a file nor one of the tags timm/conv"),
        (["--source", "{file}"], "say which network this file is of: --backbone NAME"),
        (
            ["--source", "timm/convnext_tiny.fb_in1k", "--backbone", "mobilenetv3_large"],
            "the weights of convnext_tiny, not of mobilenetv3_large",
        ),
        (["--source", "{file}", "--backbone", "convnext_tiny"], "not a file of weights"),
        (["--source", "{pickle}", "--backbone", "convnext_tiny"], "not a file of weights"),
        (["--source", "{table}", "--backbone", "convnext_tiny"], "holds no state dict"),
        (
            ["--source", "{other}", "--backbone", "convnext_tiny"],
            "fit convnext_tiny: missing: head",
        ),
        (["--to-torch", "nowhere"], "nowhere"),
    ],
)
def test_unusable_weights_are_named_and_nothing_is_written(tmp_path, arguments, message):
    files = {name: tmp_path / f"{name}.pth" for name in ("pickle", "table", "other")}
    files["file"] = tmp_path / "broken.safetensors"
    files["file"].write_bytes(b"not tensors")
    torch.save({"weights": Preprocessing(size=64)}, files["pickle"])  # unpickling it would run code
    torch.save({"epoch": 3}, files["table"])
    torch.save(timm.create_model("mobilenetv3_large_100").state_dict(), files["other"])
    filled = [argument.format(**files) for argument in arguments]
    with pytest.raises(UserError, match=message):
        main([*filled, "--out", str(tmp_path / "out")])
    assert not (tmp_path / "out").exists()


def test_unreachable_hub_is_one_line_that_says_how_to_give_a_file(tmp_path):
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path / "cache")}
    tag = "timm/convnext_tiny.fb_in1k"
    process = subprocess.run(
        [sys.executable, "-m", "elbow_jax.porting", "--source", tag, "--out", str(tmp_path / "w")],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode == 2
    assert process.stdout == ""
    (line,) = process.stderr.splitlines()
    assert tag in line
    assert "give the file: --source FILE --backbone NAME" in line
    assert not (tmp_path / "w").exists()
