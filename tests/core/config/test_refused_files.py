"""Values, keys and files that are refused in one line."""

import os

import pytest

from elbow_core.config import (
    load_config,
)
from elbow_core.errors import ConfigError
from tests.support.sample_config import Run, refusal


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("epochs: 3\noptimizer: {momentum: 2.0}\n", "optimizer.momentum: 2.0 is not below 1"),
        ("epochs: 0\n", "epochs: 0 is below 1"),
        ("epochs: 1.5\n", "epochs: 1.5 is not an integer"),
        ("epochs: 3.0\n", "epochs: 3.0 is not an integer"),
        ("epochs: '3'\n", "epochs: '3' is not an integer"),
        ("epochs: true\n", "epochs: True is not an integer"),
        ("epochs: 3\nredraw: 1\n", "redraw: 1 is not true or false"),
        ("epochs: 3\nredraw: yes\n", "redraw: 'yes' is not true or false"),
        ("epochs: 3\nname: 3\n", "name: 3 is not text"),
        ("epochs: 3\noptimizer: {rate: .nan}\n", "optimizer.rate: '.nan' is not a number"),
        ("epochs: 3\noptimizer: {rate: 1e999}\n", "optimizer.rate: '1e999' is not a number"),
        ("epochs: 3\noptimizer: {rate: ０.１}\n", "optimizer.rate: '０.１' is not a number"),
        ("epochs: 1_000\n", "epochs: '1_000' is not an integer"),
        ("epochs: 010\n", "epochs: '010' is not an integer"),
        ("epochs: 1:30\n", "epochs: '1:30' is not an integer"),
        ("epochs: ３\n", "epochs: '３' is not an integer"),
        ("epochs: 1e3\n", "epochs: 1000.0 is not an integer"),
        ("epochs: 3\nname: 2020\n", "name: 2020 is not text"),
        ("epochs: 3\nname: true\n", "name: True is not text"),
        ("epochs: 3\nname: ~\n", "name: None is not text"),
        ("epochs: 3\nsizes: 3\n", "sizes: 3 is not a list"),
        ("epochs: 3\nsizes: [1, x]\n", "sizes.1: 'x' is not an integer"),
        ("epochs: 3\noptimizer: 3\n", "optimizer: 3 is not a mapping"),
        ("epochs: 3\noptimizer:\n", "optimizer: None is not a mapping"),
        ("", "epochs: is missing"),
        ("epochs: 3\nrange: [2, 1]\n", "range: give the smaller first"),
        ("epochs: 3\nsource: {port: 1}\n", "source: kind is missing"),
        ("epochs: 3\nsource: {kind: tape}\n", "source: kind 'tape' is not one of 'disk', 'net'"),
        ("epochs: 3\nsource: {kind: disk}\n", "source.folder: is missing"),
    ],
)
def test_refused_value_is_one_line_with_file_and_key(file, text, message):
    assert refusal(file, text) == f"run.yaml: {message}"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("epoch: 3\n", "epoch: unknown key; did you mean 'epochs'?; epochs: is missing"),
        (
            "epochs: 3\noptimizer: {momentun: 0.5}\n",
            "optimizer.momentun: unknown key; did you mean 'momentum'?",
        ),
        (
            "epochs: 3\nsource: {kind: net, pott: 3}\n",
            "source.pott: unknown key; did you mean 'port'?",
        ),
        (
            "epochs: 3\nsource: {kind: net, folder: x}\n",
            "source.folder: unknown key; valid keys are kind, port",
        ),
        (
            "epochs: 3\nlayers: [{width: 1}, {widht: 2}]\n",
            "layers.1.widht: unknown key; did you mean 'width'?; layers.1.width: is missing",
        ),
        (
            "epochs: 3\noptimizer: {qqq: 1}\n",
            "optimizer.qqq: unknown key; valid keys are momentum, rate",
        ),
    ],
)
def test_misspelt_key_names_the_nearest_valid_one(file, text, message):
    assert refusal(file, text) == f"run.yaml: {message}"


def test_many_problems_are_three_and_a_count(file):
    message = refusal(file, "epochs: 0\nname: 1\nredraw: 1\nsizes: 1\nout: 1\n")
    assert message.count(";") == 3
    assert message.endswith("; and 2 more")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("epochs: 3\nepochs: 4\n", "run.yaml:2: key 'epochs' is repeated"),
        ("optimizer:\n  rate: 1\n  rate: 2\n", "run.yaml:3: key 'rate' is repeated"),
        ("[1, 2]\n", "run.yaml: is not a mapping of keys to values"),
        ("3\n", "run.yaml: is not a mapping of keys to values"),
        ("a: [1\nb: 2\n", "run.yaml:2: expected ',' or ']', but got ':'"),
        ("a: 1\n---\nb: 2\n", "run.yaml:2: but found another document"),
        ("a: &x 1\nb: *x\n", "run.yaml:2: alias *x: write the value in full"),
        ("a: !!python/object:os.system {}\n", "run.yaml:1: tag tag:yaml.org,2002:python/object:os"),
        ("a:\n  <<: {b: 1}\n", "run.yaml:2: merge key <<: write the keys in full"),
        ("? [a]\n: 1\n", "run.yaml:1: a key must be a scalar"),
        ("epochs:\t3\n", "run.yaml:1: a tab; use spaces"),
        ("epochs: 3\xa0\n", "run.yaml:1: '3\\xa0' starts or ends with a blank"),
        ("epochs: 3\nname: x\u200b\n", "run.yaml:2: 'x\\u200b' starts or ends with a blank"),
        ("a: " + "[" * 5000, "run.yaml: nested too deeply"),
    ],
)
def test_file_that_is_not_a_plain_mapping_is_named_with_its_line(file, text, message):
    assert refusal(file, text).startswith(message)


def test_missing_folder_and_binary_files_are_named(tmp_path):
    with pytest.raises(ConfigError, match=r"no\.yaml: cannot be read: No such file"):
        load_config(Run, tmp_path / "no.yaml")
    with pytest.raises(ConfigError, match="cannot be read"):
        load_config(Run, tmp_path)
    (tmp_path / "b.yaml").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="is not UTF-8 text"):
        load_config(Run, tmp_path / "b.yaml")


def test_configuration_is_a_regular_file_of_limited_size(tmp_path):
    os.mkfifo(tmp_path / "pipe.yaml")
    with pytest.raises(ConfigError, match=r"pipe\.yaml: cannot be read: is not a regular file"):
        load_config(Run, tmp_path / "pipe.yaml")
    with (tmp_path / "long.yaml").open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(ConfigError, match=r"long\.yaml: cannot be read: has more than 1048576"):
        load_config(Run, tmp_path / "long.yaml")
