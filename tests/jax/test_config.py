import pytest

from elbow_core.config import describe_fields, dump_config, fields_of, load_config
from elbow_core.errors import ConfigError
from elbow_jax.config import AdamWSection, TrainConfig
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


def test_optimizer_without_a_kind_is_sgd_and_each_kind_has_its_own_fields(path):
    assert load_config(TrainConfig, path).optimizer.kind == "sgd"
    adamw = ["--optimizer", "{kind: adamw, learning_rate: 1e-3, warm_restarts: {t_0: 4}}"]
    section = load_config(TrainConfig, path, adamw).optimizer
    assert isinstance(section, AdamWSection)
    assert (section.beta1, section.beta2, section.weight_decay) == (0.9, 0.999, 0.01)
    for field, words in (
        ("--optimizer.kind=lion", "kind 'lion' is not one of 'sgd', 'adamw'"),
        ("--optimizer.beta1=0.9", "optimizer.beta1"),
        ("--optimizer.warm_up_epochs=-1", "optimizer.warm_up_epochs"),
        ("--ema_decay=1", "ema_decay"),
    ):
        with pytest.raises(ConfigError, match=words):
            load_config(TrainConfig, path, [field])
