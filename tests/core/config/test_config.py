from pathlib import Path
from typing import Annotated, Literal

import pytest
import yaml
from pydantic import Field, ValidationError, model_validator

from elbow_core.config import (
    StrictModel,
    describe_fields,
    dump_config,
    load_config,
    take_config_path,
)
from elbow_core.errors import ConfigError
from elbow_core.prepare import DataConfig


class Optimizer(StrictModel):
    """Steps downhill."""

    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.9
    """Share of the last step."""
    rate: float = 1e-3


class Disk(StrictModel):
    """From a disk."""

    kind: Literal["disk"] = "disk"
    folder: Path


class Net(StrictModel):
    """From a server."""

    kind: Literal["net"] = "net"
    port: int = 80


class Layer(StrictModel):
    """A layer."""

    width: int


class Run(StrictModel):
    """A run."""

    epochs: Annotated[int, Field(ge=1)]
    """Passes over the data."""
    optimizer: Optimizer = Optimizer()
    source: Annotated[Disk | Net, Field(discriminator="kind")] = Net()
    sizes: tuple[int, ...] = (1,)
    range: tuple[float, float] = (0.0, 1.0)
    layers: tuple[Layer, ...] = ()
    name: str = "run"
    note: str | None = None
    redraw: bool = False
    classes: dict[str, int] = Field(default={})
    out: Path = Path("runs")

    @model_validator(mode="after")
    def _check(self) -> "Run":
        if self.range[0] > self.range[1]:
            raise ValueError("range: give the smaller first")
        return self


@pytest.fixture
def file(tmp_path) -> Path:
    path = tmp_path / "run.yaml"
    path.write_text("epochs: 3\n")
    return path


def fails(file: Path, text: str | None = None, *overrides: str) -> str:
    if text is not None:
        file.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load_config(Run, file, overrides)
    assert "\n" not in str(caught.value)
    return str(caught.value).replace(str(file), "run.yaml")


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
    assert fails(file, text) == f"run.yaml: {message}"


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
    assert fails(file, text) == f"run.yaml: {message}"


def test_many_problems_are_three_and_a_count(file):
    message = fails(file, "epochs: 0\nname: 1\nredraw: 1\nsizes: 1\nout: 1\n")
    assert message.count(";") == 3
    assert message.endswith("; and 2 more")


def test_rejected_override_says_that_it_is_from_the_command_line(file):
    message = fails(file, None, "--optimizer.momentum", "2.0")
    assert message == ("run.yaml: optimizer.momentum (from the command line): 2.0 is not below 1")
    assert fails(file, None, "--optimiser.rate=1") == (
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
    assert fails(file, None, *overrides) == message


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
    assert fails(file, text).startswith(message)


def test_missing_folder_and_binary_files_are_named(tmp_path):
    with pytest.raises(ConfigError, match=r"no\.yaml: cannot be read: No such file"):
        load_config(Run, tmp_path / "no.yaml")
    with pytest.raises(ConfigError, match="cannot be read"):
        load_config(Run, tmp_path)
    (tmp_path / "b.yaml").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="is not UTF-8 text"):
        load_config(Run, tmp_path / "b.yaml")


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


def test_config_path_can_be_anywhere_in_the_command_line():
    arguments = ["--epochs", "3", "--config", "a.yaml", "--name=x"]
    assert take_config_path(arguments) == (Path("a.yaml"), ["--epochs=3", "--name=x"])
    assert take_config_path(["--config=b.yaml"]) == (Path("b.yaml"), [])


@pytest.mark.parametrize("arguments", [[], ["--epochs", "3"], ["--config", "a", "--config", "b"]])
def test_command_line_needs_one_configuration(arguments):
    with pytest.raises(ConfigError, match="give one --config FILE"):
        take_config_path(arguments)


def test_help_lists_fields_with_type_default_and_documentation():
    text = describe_fields(Run)
    assert "--epochs int (required)\n      Passes over the data." in text
    assert "--optimizer.momentum float (default: 0.9)\n      Share of the last step." in text
    assert "--source Disk|Net (default: Net)\n    Disk: From a disk." in text
    assert "--source.folder path (required)" in text
    assert "--sizes [int, ...] (default: (1,))" in text
    assert "--layers[].width int (required)" in text
    assert "--note text|null (default: None)" in text
    assert "--redraw true|false (default: False)" in text


def test_help_documents_every_field_of_the_data_configuration():
    lines = describe_fields(DataConfig).splitlines()
    fields = [number for number, line in enumerate(lines) if line.startswith("  --")]
    undocumented = [
        lines[number]
        for number in fields
        if not lines[number + 1].startswith("      ") and ".kind " not in lines[number]
    ]
    assert [line for line in undocumented if ".method " not in line] == []
