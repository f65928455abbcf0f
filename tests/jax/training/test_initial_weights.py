from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from safetensors.numpy import save_file

from elbow_core.dataset import NOTHING_SEEN
from elbow_core.errors import UserError
from elbow_core.radiographs import Preprocessing
from elbow_jax.models import ModelConfig, build_model
from elbow_jax.porting import to_torch
from elbow_jax.scoring import write_released
from elbow_jax.training.initial.weights import initial_variables

BACKBONES = ("convnext_tiny", "efficientnetv2_s", "mobilenetv3_large")


def network(backbone, **changes) -> ModelConfig:
    return ModelConfig(backbone=backbone, variant="small", **changes)


def random_variables(config: ModelConfig, seed: int) -> dict[str, Any]:
    """Return random variables of the network's shapes without compiling it."""
    image = jnp.zeros((1, 64, 64, 1))
    shapes = jax.eval_shape(lambda key: build_model(config).init(key, image), jax.random.key(0))
    rng = np.random.default_rng(seed)
    values = jax.tree.map(lambda leaf: rng.normal(size=leaf.shape).astype(np.float32), shapes)
    return {"params": values["params"], "batch_stats": values.get("batch_stats", {})}


def start(config: ModelConfig, init: Any, seed: int = 9) -> dict[str, Any]:
    """Return initial variables where random ones are `random_variables(config, seed)`."""
    shapes = random_variables(config, 0)

    def initialise(part: str | None) -> dict[str, Any]:
        variables = random_variables(config, seed)
        if part is None:
            return variables
        return {name: {part: tree[part]} for name, tree in variables.items() if part in tree}

    return initial_variables(config, init, shapes, initialise)


def finished_run(folder: Path, config: ModelConfig, seed: int) -> dict[str, Any]:
    """Write the released model of a run; return its variables."""
    variables = random_variables(config, seed)
    write_released(
        folder / "model",
        variables,
        NOTHING_SEEN,
        architecture=config,
        preprocessing=Preprocessing(size=64),
        thresholds={"default": 0.5},
        labels=("normal", "injury"),
        validation={"auroc": 0.5},
        step=1,
    )
    return variables


def assert_equal_trees(actual, expected):
    assert jax.tree.structure(actual) == jax.tree.structure(expected)
    for one, other in zip(jax.tree.leaves(actual), jax.tree.leaves(expected), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    trained = {
        name: finished_run(folder / name, network(name), seed)
        for seed, name in enumerate(BACKBONES)
    }
    return {name: str(folder / name) for name in BACKBONES}, trained


def test_all_variables_come_from_a_run_of_the_same_network(runs):
    paths, trained = runs
    config = network("convnext_tiny")
    variables = start(config, paths["convnext_tiny"])
    assert_equal_trees(variables, trained["convnext_tiny"])


def test_fusion_takes_the_backbones_of_three_runs_and_keeps_its_head(runs):
    paths, trained = runs
    config = network("fusion")
    random = random_variables(config, 9)
    fused = start(config, paths)
    for name in BACKBONES:
        for collection in ("params", "batch_stats"):
            backbone = trained[name].get(collection, {}).get("backbone", {})
            assert_equal_trees(fused[collection].get(name, {}), backbone)
    assert_equal_trees(fused["params"]["head"], random["params"]["head"])


def test_networks_without_cbam_can_be_fused(tmp_path):
    trained = {
        name: finished_run(tmp_path / name, network(name, cbam=False), seed)
        for seed, name in enumerate(BACKBONES)
    }
    paths = {name: str(tmp_path / name) for name in BACKBONES}
    fused = start(network("fusion", cbam=False), paths)
    for name in BACKBONES:
        assert_equal_trees(fused["params"][name], trained[name]["params"]["backbone"])


def test_file_in_timms_layout_fills_only_the_backbone(tmp_path):
    config = network("mobilenetv3_large", cbam=False)
    published, random = random_variables(config, 1), random_variables(config, 2)
    prefix = "backbone.network."
    tensors = {
        key.removeprefix(prefix): value
        for key, value in to_torch(published, build_model(config)).items()
        if key.startswith(prefix)
    }
    save_file(tensors, tmp_path / "weights.safetensors")
    variables = start(config, str(tmp_path / "weights.safetensors"), seed=2)
    assert_equal_trees(variables["params"]["head"], random["params"]["head"])
    stem = variables["params"]["backbone"]["stem"]
    assert_equal_trees(stem, published["params"]["backbone"]["stem"])


@pytest.mark.parametrize(
    ("init", "backbone", "message"),
    [
        ("{mobilenetv3_large}", "convnext_tiny", "mobilenetv3_large, not convnext_tiny"),
        ("timm/resnet50.a1_in1k", "convnext_tiny", "neither a file nor one of the tags"),
        ({"convnext_tiny": "{convnext_tiny}"}, "fusion", "init: fusion: needs convnext_tiny, eff"),
        (
            dict.fromkeys(BACKBONES, "{convnext_tiny}"),
            "fusion",
            "convnext_tiny, not efficientnetv2_s",
        ),
    ],
)
def test_initial_weights_that_do_not_fit_are_named(runs, init, backbone, message):
    paths, _ = runs
    filled = (
        {name: path.format(**paths) for name, path in init.items()}
        if isinstance(init, dict)
        else init.format(**paths)
    )
    config = network(backbone)
    with pytest.raises(UserError, match=message):
        start(config, filled)


def test_other_width_is_named_by_path(runs):
    paths, _ = runs
    config = network("mobilenetv3_large", features=64)
    with pytest.raises(UserError, match=r"init: .* is of another network: .*give both runs"):
        start(config, paths["mobilenetv3_large"])
