from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from safetensors.numpy import save_file

from elbow_core.errors import UserError
from elbow_core.radiographs.preprocessing import Preprocessing
from elbow_jax.models import ModelConfig, build_model
from elbow_jax.porting import to_torch
from elbow_jax.scoring.released import write_released
from elbow_jax.training.first_weights import first_variables

BACKBONES = ("convnext_tiny", "efficientnetv2_s", "mobilenetv3_large")


def network(backbone, **changes) -> ModelConfig:
    return ModelConfig(backbone=backbone, variant="small", **changes)


def random_variables(config: ModelConfig, seed: int) -> dict[str, Any]:
    """Draw variables of the network's shapes without compiling it."""
    image = jnp.zeros((1, 64, 64, 1))
    shapes = jax.eval_shape(lambda key: build_model(config).init(key, image), jax.random.key(0))
    rng = np.random.default_rng(seed)
    drawn = jax.tree.map(lambda leaf: rng.normal(size=leaf.shape).astype(np.float32), shapes)
    return {"params": drawn["params"], "batch_stats": drawn.get("batch_stats", {})}


def begin(config: ModelConfig, init: Any, seed: int = 9) -> dict[str, Any]:
    """Begin a run whose own variables would be `random_variables(config, seed)`."""
    shapes = random_variables(config, 0)

    def draw(part: str | None) -> dict[str, Any]:
        drawn = random_variables(config, seed)
        if part is None:
            return drawn
        return {name: {part: tree[part]} for name, tree in drawn.items() if part in tree}

    return first_variables(config, init, shapes, draw)


def finished_run(folder: Path, config: ModelConfig, seed: int) -> dict[str, Any]:
    """Write the released model of a run; return its variables."""
    variables = random_variables(config, seed)
    write_released(
        folder / "model",
        variables,
        architecture=config,
        preprocessing=Preprocessing(size=64),
        thresholds={"default": 0.5},
        labels=("normal", "injury"),
        validation={"auroc": 0.5},
        step=1,
    )
    return variables


def assert_equal_trees(ours, theirs):
    assert jax.tree.structure(ours) == jax.tree.structure(theirs)
    for one, other in zip(jax.tree.leaves(ours), jax.tree.leaves(theirs), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    trained = {
        name: finished_run(folder / name, network(name), seed)
        for seed, name in enumerate(BACKBONES)
    }
    return {name: str(folder / name) for name in BACKBONES}, trained


def test_run_of_the_same_network_gives_all_its_variables(runs):
    paths, trained = runs
    config = network("convnext_tiny")
    ours = begin(config, paths["convnext_tiny"])
    assert_equal_trees(ours, trained["convnext_tiny"])


def test_fusion_takes_the_backbones_of_three_runs_and_keeps_its_head(runs):
    paths, trained = runs
    config = network("fusion")
    before = random_variables(config, 9)
    fused = begin(config, paths)
    for name in BACKBONES:
        for collection in ("params", "batch_stats"):
            theirs = trained[name].get(collection, {}).get("backbone", {})
            assert_equal_trees(fused[collection].get(name, {}), theirs)
    assert_equal_trees(fused["params"]["head"], before["params"]["head"])


def test_networks_without_cbam_are_fused_too(tmp_path):
    trained = {
        name: finished_run(tmp_path / name, network(name, cbam=False), seed)
        for seed, name in enumerate(BACKBONES)
    }
    paths = {name: str(tmp_path / name) for name in BACKBONES}
    fused = begin(network("fusion", cbam=False), paths)
    for name in BACKBONES:
        assert_equal_trees(fused["params"][name], trained[name]["params"]["backbone"])


def test_file_in_timms_layout_fills_the_backbone_alone(tmp_path):
    config = network("mobilenetv3_large", cbam=False)
    theirs, before = random_variables(config, 1), random_variables(config, 2)
    start = "backbone.network."
    tensors = {
        key.removeprefix(start): value
        for key, value in to_torch(theirs, build_model(config)).items()
        if key.startswith(start)
    }
    save_file(tensors, tmp_path / "weights.safetensors")
    ours = begin(config, str(tmp_path / "weights.safetensors"), seed=2)
    assert_equal_trees(ours["params"]["head"], before["params"]["head"])
    stem = ours["params"]["backbone"]["stem"]
    assert_equal_trees(stem, theirs["params"]["backbone"]["stem"])


@pytest.mark.parametrize(
    ("init", "backbone", "said"),
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
def test_what_does_not_fit_is_named(runs, init, backbone, said):
    paths, _ = runs
    filled = (
        {name: path.format(**paths) for name, path in init.items()}
        if isinstance(init, dict)
        else init.format(**paths)
    )
    config = network(backbone)
    with pytest.raises(UserError, match=said):
        begin(config, filled)


def test_another_width_is_named_by_path(runs):
    paths, _ = runs
    config = network("mobilenetv3_large", features=64)
    with pytest.raises(UserError, match=r"init: .* is of another network: .*give both runs"):
        begin(config, paths["mobilenetv3_large"])
