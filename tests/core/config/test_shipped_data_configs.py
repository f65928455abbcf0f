import pytest

from elbow_core.config import dump_config, load_config
from elbow_core.prepare import DataConfig
from tests.support.paths import ROOT

CONFIGS = sorted((ROOT / "configs" / "data").glob("*.yaml"))


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.name)
def test_shipped_data_configuration_loads_and_starts_with_its_command(path, tmp_path):
    config = load_config(DataConfig, path)
    (tmp_path / "again.yaml").write_text(dump_config(config))
    assert load_config(DataConfig, tmp_path / "again.yaml") == config
    text = path.read_text()
    assert f"python -m elbow_core.prepare --config configs/data/{path.name}" in text
    assert "# Needs:" in text
    assert "Gives:" in text
    assert not config.root.is_absolute()
    assert not config.out.is_absolute()


def test_elbow_and_mura_configurations_have_the_values_of_the_paper():
    elbow = load_config(DataConfig, next(path for path in CONFIGS if path.name == "elbow.yaml"))
    mura = load_config(DataConfig, next(path for path in CONFIGS if path.name == "mura.yaml"))
    assert (elbow.preprocess.size, elbow.preprocess.sigma) == (584, 7.0)
    assert (mura.preprocess.size, mura.preprocess.sigma) == (384, 5.0)
    for config in (elbow, mura):
        preprocess = config.preprocess
        assert (preprocess.clip_limit, preprocess.grid, preprocess.amount) == (2.5, 4, 2.0)
    assert elbow.split.model_dump(exclude={"method", "seed"}) == {
        "train": {"normal": 1957, "injury": 1538},
        "validation": {"normal": 244, "injury": 193},
        "test": {"normal": 186, "injury": 251},
    }
