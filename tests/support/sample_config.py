"""A schema of every kind of field, and its refusals, for the tests of configurations."""

from pathlib import Path
from typing import Annotated, Literal

import pytest
from pydantic import Field, model_validator

from elbow_core.config import StrictModel, load_config
from elbow_core.errors import ConfigError


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


def refusal(file: Path, text: str | None = None, *overrides: str) -> str:
    """Return the one line for which a file, with this text if given, and overrides are refused."""
    if text is not None:
        file.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load_config(Run, file, overrides)
    assert "\n" not in str(caught.value)
    return str(caught.value).replace(str(file), "run.yaml")
