import pytest

from elbow_core.config import describe_fields, dump_config, fields_of, load_config
from elbow_core.errors import ConfigError
from elbow_jax.config import TrainConfig
from elbow_jax.models import ModelConfig

MINIMAL = """
run: runs/x
data: {prepared: data/x}
model: {backbone: mobilenetv3_large}
optimizer: {learning_rate: 1e-3, momentum: 0.9, warm_restarts: {t_0: 4}}
epochs: 2
"""


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "train.yaml"
    path.write_text(MINIMAL)
    return path


def test_schema_includes_the_network(path):
    config = load_config(TrainConfig, path, ["--model.variant", "small"])
    assert config.model == ModelConfig(backbone="mobilenetv3_large", variant="small")


def test_dumped_configuration_loads_equal(path, tmp_path):
    config = load_config(TrainConfig, path)
    (tmp_path / "again.yaml").write_text(dump_config(config))
    assert load_config(TrainConfig, tmp_path / "again.yaml") == config


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        (["--model.backbon", "x"], "model.backbon (from the command line): unknown key; did you"),
        (["--model.cbam", "1"], "model.cbam (from the command line): 1 is not true or false"),
        (["--model.variant", "large"], "'large' is not one of 'full' or 'small'"),
        (["--optimizer.momentum", "2.0"], "optimizer.momentum (from the command line): 2.0 is not"),
        (["--optimizer.learning_rate", "-1"], "optimizer.learning_rate"),
        (["--epochs", "0"], "epochs (from the command line): 0 is"),
        (["--optimizer.warm_restarts.t_o", "3"], "did you mean 't_0'"),
    ],
)
def test_error_is_one_line_with_file_and_key(path, override, expected):
    with pytest.raises(ConfigError) as raised:
        load_config(TrainConfig, path, override)
    message = str(raised.value)
    assert expected in message
    assert message.startswith(str(path))
    assert "\n" not in message


def test_every_field_is_described():
    described = describe_fields(TrainConfig)
    for name, field in fields_of(ModelConfig).items():
        assert f"--model.{name} " in described
        assert field.description
