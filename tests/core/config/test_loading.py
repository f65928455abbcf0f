"""A file becomes a frozen model, and a model a file that loads equal."""

from pathlib import Path

import pytest
import yaml
from pydantic import ValidationError

from elbow_core.config import (
    dump_config,
    load_config,
)
from tests.support.sample_config import Disk, Layer, Optimizer, Run


def test_file_fills_the_schema_and_defaults_the_rest(file):
    assert load_config(Run, file) == Run(epochs=3)
    file.write_text("epochs: 3\noptimizer: {rate: 2e-4}\n")
    assert load_config(Run, str(file)).optimizer == Optimizer(rate=2e-4)


@pytest.mark.parametrize("text", ["1e-3", "1.0e-3", "1E-3", "+1e-3", "0.001", ".001", "10e-4"])
def test_numbers_with_an_exponent_are_numbers(file, text):
    file.write_text(f"epochs: 3\noptimizer: {{rate: {text}}}\n")
    assert load_config(Run, file).optimizer.rate == 1e-3
    assert load_config(Run, file, ["--optimizer.rate", text]).optimizer.rate == 1e-3


def test_lists_become_tuples_and_strings_paths(file):
    file.write_text("epochs: 3\nsizes: [4, 5]\nrange: [0, 2.5]\nout: a/b\nlayers:\n- width: 2\n")
    config = load_config(Run, file)
    assert (config.sizes, config.range, config.out) == ((4, 5), (0.0, 2.5), Path("a/b"))
    assert config.layers == (Layer(width=2),)


def test_configuration_cannot_be_changed():
    with pytest.raises(ValidationError):
        Run(epochs=3).epochs = 4  # pyright: ignore


@pytest.mark.parametrize(
    "config",
    [
        Run(epochs=3),
        Run(epochs=1, name="1e-3", note="null", classes={"1": 1, "yes": 2}),
        Run(epochs=1, name="[a: *b #c", source=Disk(folder=Path("a b")), layers=(Layer(width=1),)),
        Run(epochs=1, name="0012", note="2020-01-31", optimizer=Optimizer(rate=1e-300)),
    ],
)
def test_dumped_configuration_loads_equal(file, config):
    file.write_text(dump_config(config))
    assert load_config(Run, file) == config
    assert file.read_text().splitlines()[0] == f"epochs: {config.epochs}"


def test_dumped_configuration_is_read_by_other_yaml_parsers():
    config = Run(epochs=3, name="yes", optimizer=Optimizer(rate=1e-5))
    assert yaml.safe_load(dump_config(config)) == config.model_dump(mode="json")
