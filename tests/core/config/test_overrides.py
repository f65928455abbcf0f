"""Fields set on the command line."""

from pathlib import Path

import pytest

from elbow_core.config import (
    load_config,
    take_config_path,
)
from elbow_core.errors import ConfigError
from tests.support.sample_config import Disk, Layer, Optimizer, Run, refusal


@pytest.mark.parametrize(
    "override", [["--optimizer.momentum", "0.5"], ["--optimizer.momentum=0.5"]]
)
def test_override_wins_over_file_in_both_forms(file, override):
    file.write_text("epochs: 3\noptimizer: {momentum: 0.1, rate: 0.5}\n")
    assert load_config(Run, file, override).optimizer == Optimizer(momentum=0.5, rate=0.5)


def test_overrides_of_every_type(file):
    config = load_config(
        Run,
        file,
        [
            *("--epochs=5", "--sizes=[7, 8]", "--redraw", "true", "--note", "null"),
            *("--out", "x/y", "--layers", "[{width: 3}]", "--classes.a", "1", "--range=[-1e-1,1]"),
            *("--source.kind=disk", "--source.folder", "12", "--optimizer.rate", "-2"),
        ],
    )
    assert (config.epochs, config.sizes, config.redraw, config.note) == (5, (7, 8), True, None)
    assert (config.out, config.layers, config.range) == (Path("x/y"), (Layer(width=3),), (-0.1, 1))
    assert (config.classes, config.source) == ({"a": 1}, Disk(folder=Path("12")))
    assert config.optimizer.rate == -2


@pytest.mark.parametrize("text", ["1e-3", "12", "true", "null", "*.png", "[a", "a: b", "x#y", "é"])
def test_override_of_text_is_used_literally(file, text):
    assert load_config(Run, file, ["--name", text]).name == text


def test_last_of_two_overrides_wins(file):
    assert load_config(Run, file, ["--epochs", "4", "--epochs=5"]).epochs == 5


def test_rejected_override_says_that_it_is_from_the_command_line(file):
    message = refusal(file, None, "--optimizer.momentum", "2.0")
    assert message == ("run.yaml: optimizer.momentum (from the command line): 2.0 is not below 1")
    assert refusal(file, None, "--optimiser.rate=1") == (
        "run.yaml: optimiser: unknown key; did you mean 'optimizer'?"
    )


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["--epochs"], "--epochs: needs a value"),
        (["--epochs", "--name", "x"], "--epochs: needs a value"),
        (["epochs", "3"], "epochs: expected --field.sub value"),
        (["-e", "3"], "-e: expected --field.sub value"),
        (["--", "3"], "--: expected --field.sub value"),
        (["--epochs.deep", "3"], "--epochs.deep: epochs is 3 and has no fields"),
    ],
)
def test_override_in_another_form_is_refused(file, overrides, message):
    assert refusal(file, None, *overrides) == message


def test_config_path_can_be_anywhere_in_the_command_line():
    arguments = ["--epochs", "3", "--config", "a.yaml", "--name=x"]
    assert take_config_path(arguments) == (Path("a.yaml"), ["--epochs=3", "--name=x"])
    assert take_config_path(["--config=b.yaml"]) == (Path("b.yaml"), [])


@pytest.mark.parametrize("arguments", [[], ["--epochs", "3"], ["--config", "a", "--config", "b"]])
def test_command_line_needs_one_configuration(arguments):
    with pytest.raises(ConfigError, match="give one --config FILE"):
        take_config_path(arguments)
