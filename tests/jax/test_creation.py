"""A network with its variables in one call, as other projects make it."""

import doctest
from pathlib import Path

import jax
import numpy as np
import pytest
from safetensors.numpy import save_file

import elbow_jax
from elbow_core.dataset import NOTHING_SEEN
from elbow_core.errors import UserError
from elbow_core.radiographs import Preprocessing
from elbow_jax import creation
from elbow_jax.models import ModelConfig, build_model
from elbow_jax.porting import to_torch
from elbow_jax.scoring import write_released
from elbow_jax.training.initial.shipped import read_shipped
from tests.support.finished_runs import random_variables

CONVNEXT = "synthetic/convnext_tiny_small"


def assert_equal_trees(actual, expected):
    assert jax.tree.structure(actual) == jax.tree.structure(expected)
    for one, other in zip(jax.tree.leaves(actual), jax.tree.leaves(expected), strict=True):
        np.testing.assert_array_equal(one, other)


def test_example_of_the_docstring_runs():
    result = doctest.testmod(creation)
    assert (result.failed, result.attempted > 5) == (0, True)


def test_shipped_weights_bring_their_architecture_and_their_values():
    network, released = (
        elbow_jax.create("convnext_tiny", pretrained=CONVNEXT),
        read_shipped(CONVNEXT),
    )
    assert network.config == released.card.architecture
    assert_equal_trees(network.variables, released.variables)
    assert network.origin is not None
    assert network.origin["sha256"] == released.card.weights_sha256
    assert network.preprocessing == released.card.preprocessing


def test_options_take_precedence_over_the_stated_architecture():
    network = elbow_jax.create("convnext_tiny", pretrained=CONVNEXT, drop_path=0.25)
    assert network.config.drop_path == 0.25
    assert network.config.variant == "small"


def test_finished_run_brings_its_architecture(tmp_path):
    config = ModelConfig(backbone="mobilenetv3_large", variant="small", cbam=False, features=48)
    variables = random_variables(config, 32)
    write_released(
        tmp_path / "run" / "model",
        variables,
        NOTHING_SEEN,
        architecture=config,
        preprocessing=Preprocessing(size=32),
        thresholds={"default": 0.5},
        labels=("normal", "injury"),
        validation={"auroc": 0.5},
        step=1,
    )
    network = elbow_jax.create("mobilenetv3_large", pretrained=str(tmp_path / "run"))
    assert network.config == config
    assert_equal_trees(network.variables, variables)


def test_file_fills_the_backbone_and_the_seed_the_rest(tmp_path):
    config = ModelConfig(backbone="mobilenetv3_large", variant="small", cbam=False)
    published = random_variables(config, 32)
    file = save_timm(tmp_path, config, published)
    made = [
        elbow_jax.create(
            "mobilenetv3_large",
            variant="small",
            pretrained=str(file),
            architecture="mobilenetv3_large_100",
            seed=seed,
        )
        for seed in (1, 2)
    ]
    stems = [network.variables["params"]["backbone"]["stem"] for network in made]
    assert_equal_trees(stems[0], published["params"]["backbone"]["stem"])
    assert_equal_trees(stems[0], stems[1])
    heads = [network.variables["params"]["head"]["kernel"] for network in made]
    assert not np.array_equal(heads[0], heads[1])
    assert made[0].preprocessing is None


def save_timm(folder: Path, config: ModelConfig, variables) -> Path:
    """Write the backbone of a network under timm's names."""
    prefix = "backbone.network."
    tensors = {
        key.removeprefix(prefix): value
        for key, value in to_torch(variables, build_model(config)).items()
        if key.startswith(prefix)
    }
    save_file(tensors, folder / "weights.safetensors")
    return folder / "weights.safetensors"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"pretrained": "synthetic/unknown"}, r"synthetic/unknown: is not one of the tags"),
        ({"pretrained": CONVNEXT, "variant": "full"}, r"is of the variant small"),
        ({"pretrained": CONVNEXT, "cbam": False}, r"is of another network"),
        ({"pretrained": "synthetic/mobilenetv3_large_small"}, r"mobilenetv3_large, not convnext"),
        ({"pretrained": "absent.safetensors"}, r"absent.safetensors: neither a file nor"),
        ({"features": 9}, r"features: 9, but the last stage"),
        ({"in_channels": 3}, r"in_channels: 3: radiographs have 1"),
    ],
)
def test_refusals_name_the_argument_or_the_source(arguments, message):
    with pytest.raises(UserError, match=message) as raised:
        elbow_jax.create("convnext_tiny", **arguments)
    assert not str(raised.value).startswith(("init:", "model."))


def test_misspelt_option_is_a_type_error():
    with pytest.raises(TypeError, match="cbma"):
        elbow_jax.create("convnext_tiny", cbma=True)
