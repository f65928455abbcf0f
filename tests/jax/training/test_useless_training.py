"""Training that cannot learn anything is refused before it starts; the classes can be weighted."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from elbow_core.config import load_config
from elbow_core.dataset import open_prepared, read_manifest, write_manifest
from elbow_core.errors import ConfigError
from elbow_jax import train
from elbow_jax.config import TrainConfig
from elbow_jax.training.engine import positive_weight
from tests.support.small_data import write_prepared
from tests.support.training import write_config


@pytest.fixture(scope="module")
def prepared(tmp_path_factory) -> Path:
    return write_prepared(tmp_path_factory.mktemp("prepared") / "data")


def keep(prepared: Path, folder: Path, split: str, label: int) -> None:
    """Copy the prepared data, with the images of the split's other class in the test split."""
    shutil.copytree(prepared, folder / "data")
    manifest = folder / "data/manifest.csv"
    rows = [
        replace(row, split="test") if row.split == split and row.label != label else row
        for row in read_manifest(manifest)
    ]
    manifest.unlink()
    write_manifest(manifest, rows)


def test_parts_of_one_image_are_refused_where_batch_statistics_need_two(prepared, tmp_path):
    (tmp_path / "data").symlink_to(prepared)
    config = write_config(
        tmp_path,
        model={"backbone": "fusion", "variant": "small"},
        batch_size=4,
        accumulate=4,
    )
    with pytest.raises(ConfigError, match=r"batch_size: parts of one image.*head/norm.*accumulate"):
        train.main(["--config", str(config)])
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("split", "label", "name"), [("train", 0, "normal"), ("validation", 1, "injured")]
)
def test_split_of_one_class_is_refused(prepared, tmp_path, split, label, name):
    keep(prepared, tmp_path, split, label)
    with pytest.raises(ConfigError, match=f"the split '{split}' holds {name} images alone"):
        train.main(["--config", str(write_config(tmp_path))])
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("changes", [{"learning_rate": 0.0}, {"learning_rate": {"head": 0.0}}])
def test_rate_of_zero_is_refused(prepared, tmp_path, changes):
    (tmp_path / "data").symlink_to(prepared)
    optimizer = {"momentum": 0.8, "warm_restarts": {"t_0": 2}} | changes
    with pytest.raises(ConfigError, match=r"optimizer\.learning_rate"):
        train.main(["--config", str(write_config(tmp_path, optimizer=optimizer))])


@pytest.mark.parametrize(("given", "weight"), [(1.0, 1.0), (2.5, 2.5), ("balanced", 3.0)])
def test_balanced_weight_is_the_ratio_of_the_classes(prepared, tmp_path, given, weight):
    shutil.copytree(prepared, tmp_path / "data")
    manifest = tmp_path / "data/manifest.csv"
    rows = read_manifest(manifest)
    injured = [row.image_id for row in rows if row.split == "train" and row.label == 1]
    moved = set(injured[4:])  # twelve normal images and four injuries are left
    rows = [replace(row, split="test") if row.image_id in moved else row for row in rows]
    manifest.unlink()
    write_manifest(manifest, rows)
    config = load_config(TrainConfig, write_config(tmp_path, pos_weight=given))
    assert positive_weight(config, open_prepared(tmp_path / "data")) == weight
