"""Paths in a configuration: what a shell would read, or a refusal."""

import os
import subprocess
from pathlib import Path

import pytest

from elbow_core.config import StrictModel, dump_config, expand_path, load_config
from elbow_core.errors import ConfigError


class Part(StrictModel):
    """A nested section."""

    inner: Path | None = None
    """A path."""


class Settings(StrictModel):
    """Paths and a text."""

    out: Path
    """A path."""
    text: str = ""
    """Not a path."""
    part: Part = Part()
    """A section."""


ENVIRONMENT = {"HOME": "/home/reader", "SCRATCH": "/scratch/of reader", "a1": "x", "EMPTY": ""}
EXPANDED = [
    "~",
    "~/runs/x",
    "~root/x",
    "$SCRATCH/x",
    "${SCRATCH}/x",
    "$SCRATCH",
    "data/$a1/$a1.b",
    "data/${a1}b",
    "x~y/~",
    "./a b",
    "costs$",
    "a$/b",
]


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("UNSET", raising=False)


@pytest.mark.parametrize("text", EXPANDED)
def test_path_is_what_a_shell_reads(text):
    # Assigned, a word is expanded and not split; blanks are quoted for it.
    command = f'path={text.replace(" ", chr(92) + " ")}; printf %s "$path"'
    done = subprocess.run(
        ["bash", "-c", command], capture_output=True, text=True, env=os.environ, check=True
    )
    assert expand_path(text) == done.stdout


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("$UNSET/x", "$UNSET is not set"),
        ("${UNSET}/x", "$UNSET is not set"),
        ("$EMPTY/x", "$EMPTY is empty"),
        ("~no_such_user/x", "no such home directory"),
        ("$(pwd)/x", "expression of a shell"),
        ("`pwd`/x", "expression of a shell"),
        ("${UNSET:-/tmp}/x", "expression of a shell"),
        ("${UNSET", "expression of a shell"),
    ],
)
def test_path_that_a_shell_would_read_otherwise_is_refused(tmp_path, text, reason):
    file = tmp_path / "c.yaml"
    file.write_text("out: x\n")
    with pytest.raises(ConfigError) as refused:
        load_config(Settings, file, ["--part.inner", text])
    message = str(refused.value)
    assert message.startswith(f"{file}: part.inner (from the command line): ")
    assert reason in message
    assert len(message.splitlines()) == 1


def test_only_paths_are_expanded_and_the_result_is_stored(tmp_path):
    file = tmp_path / "c.yaml"
    file.write_text("out: ~/x\ntext: ~/$SCRATCH\npart: {inner: $SCRATCH/y}\n")
    settings = load_config(Settings, file)
    assert settings.out == Path("/home/reader/x")
    assert settings.part.inner == Path("/scratch/of reader/y")
    assert settings.text == "~/$SCRATCH"
    file.write_text(dump_config(settings))
    assert load_config(Settings, file) == settings


@pytest.mark.parametrize("value", [os.fsdecode(b"M\xfcller"), '"\\udcfc"'])
@pytest.mark.parametrize("key", ["out", "part.inner", "text"])
def test_name_that_is_not_utf8_is_refused_by_key(tmp_path, key, value):
    file = tmp_path / "c.yaml"
    file.write_text("out: x\n")
    with pytest.raises(ConfigError, match=f"{key}: contains bytes that are not UTF-8"):
        load_config(Settings, file, [f"--{key}", value])
