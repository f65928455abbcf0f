import ast
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest

from elbow_core.errors import library_reason
from tests.support.paths import ROOT
from tests.support.unsafe_advice import advises_unsafe_loading


def test_reason_is_the_first_line_without_control_characters():
    error = ValueError("\n\x1b[1mbroken\x1b[0m\tfile.\x07\nmore")
    assert library_reason(error) == "broken file."
    assert library_reason(KeyError()) == "KeyError"
    assert len(library_reason(ValueError("x" * 10_000))) < 400


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("Bad magic number. Pass allow_pickle=True to load it.", "Bad magic number."),
        ("`weights_only=False` may load it", "it is damaged, or needs Python objects or code"),
        (
            "Weights only load failed. This file can still be loaded, to do so you have two "
            "options, do those steps only if you trust the source of the checkpoint.",
            "it is damaged, or needs Python objects or code",
        ),
        (
            "The repository x contains custom code which must be executed to load the model. "
            "Please pass the argument `trust_remote_code=True` to allow custom code to be run.",
            "it is damaged, or needs Python objects or code",
        ),
    ],
)
def test_advice_to_load_unsafely_is_not_repeated(text, reason):
    found = library_reason(RuntimeError(text))
    assert found.startswith(reason)
    assert not advises_unsafe_loading(found)


def test_no_advice_of_numpy_is_repeated(tmp_path):
    np.save(tmp_path / "objects.npy", np.array([{}]), allow_pickle=True)
    (tmp_path / "text.npy").write_text("text")
    for name in ("objects.npy", "text.npy"):
        with pytest.raises((ValueError, pickle.UnpicklingError, zipfile.BadZipFile)) as caught:
            np.load(tmp_path / name, allow_pickle=False)
        assert not advises_unsafe_loading(library_reason(caught.value))


def test_no_message_of_ours_advises_to_load_unsafely():
    """Looks at every text in the packages that is not a docstring."""
    files = [
        file
        for package in (
            "elbow_core",
            "elbow_jax",
            "vlm_torch",
            "reading_room",
            "benchmarks",
            "scripts",
        )
        for file in sorted((ROOT / package).rglob("*.py"))
    ]
    advising = [
        file.relative_to(ROOT)
        for file in files
        if any(map(advises_unsafe_loading, _texts(ast.parse(file.read_text()))))
    ]
    assert advising == [Path("elbow_core/errors.py")]  # the words that are left out


def _texts(tree: ast.AST) -> list[str]:
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef)
    docstrings = [
        ast.get_docstring(node, clean=False)
        for node in ast.walk(tree)
        if isinstance(node, documented)
    ]
    constants = [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)]
    return [text for text in constants if isinstance(text, str) and text not in docstrings]
