"""Weights that come with the project, as a start of training."""

import re
import shutil

import pytest

from elbow_core.config import load_config
from elbow_core.dataset import open_prepared
from elbow_core.errors import ConfigError
from elbow_jax import networks
from elbow_jax.config import TrainConfig
from elbow_jax.models import ModelConfig
from elbow_jax.networks import shapes_by_path
from elbow_jax.training import build_engine
from elbow_jax.training.initial import shipped
from elbow_jax.training.initial.leakage import refuse_leakage, seen_before
from elbow_jax.training.initial.shipped import SHIPPED, read_shipped, seen_by_shipped
from tests.support.small_data import write_prepared
from tests.support.training import write_config

MOBILENET = "synthetic/mobilenetv3_large_small"
LIMIT = 5_000_000  # bytes of a tag's weights


@pytest.fixture
def folder(tmp_path):
    write_prepared(tmp_path / "data", seed=0)
    return tmp_path


def engine_of(folder, **changes):
    config = load_config(TrainConfig, write_config(folder, **changes))
    return build_engine(config, open_prepared(folder / "data"))


@pytest.mark.parametrize("tag", SHIPPED)
def test_shipped_weights_are_those_of_a_small_network_and_good_on_synthetic_images(tag):
    released = read_shipped(tag)
    architecture = released.card.architecture
    assert f"synthetic/{architecture.backbone}_{architecture.variant}" == tag
    config = ModelConfig(backbone=architecture.backbone, variant="small")
    shapes = networks.variable_shapes(networks.build(config, "float32"), 64)
    assert shapes_by_path(released.variables) == shapes_by_path(shapes)
    assert released.card.validation["auroc"] > 0.75
    weights = shipped.FOLDER / tag.removeprefix("synthetic/") / "weights.safetensors"
    assert weights.stat().st_size < LIMIT


@pytest.mark.parametrize("tag", SHIPPED)
def test_shipped_weights_name_what_they_learnt_from_and_no_patient(tag, folder):
    seen = seen_by_shipped(tag)
    assert seen == seen_before(tag, {"source": tag})
    refuse_leakage(tag, open_prepared(folder / "data"))


def test_run_starts_with_shipped_weights(folder):
    engine = engine_of(folder, init=MOBILENET)
    card = read_shipped(MOBILENET).card
    assert engine.origin == {"source": MOBILENET, "step": card.step, "sha256": card.weights_sha256}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"init": "synthetic/resnet"}, "is not one of the tags synthetic/"),
        (
            {"init": MOBILENET, "model": {"backbone": "convnext_tiny", "variant": "small"}},
            "is of another network: mobilenetv3_large, not convnext_tiny",
        ),
        (
            {"init": MOBILENET, "model": {"backbone": "mobilenetv3_large"}},
            "is of the variant small, and model.variant is full",
        ),
    ],
)
def test_weights_of_something_else_are_refused(folder, changes, words):
    with pytest.raises(ConfigError, match=words):
        engine_of(folder, **changes)


@pytest.mark.parametrize("name", ["model.json", "weights.safetensors", "seen_images.csv"])
def test_a_changed_file_is_refused(folder, monkeypatch, name):
    copied = folder / "weights"
    shutil.copytree(shipped.FOLDER, copied)
    monkeypatch.setattr(shipped, "FOLDER", copied)
    file = copied / "mobilenetv3_large_small" / name
    content = bytearray(file.read_bytes())
    content[-2] ^= 1
    file.write_bytes(content)
    read = seen_by_shipped if name == "seen_images.csv" else read_shipped
    with pytest.raises(ConfigError, match=re.escape(name)):
        read(MOBILENET)


def test_a_missing_folder_says_to_install_anew(folder, monkeypatch):
    monkeypatch.setattr(shipped, "FOLDER", folder)
    with pytest.raises(ConfigError, match="is missing; install the project anew"):
        read_shipped(MOBILENET)
