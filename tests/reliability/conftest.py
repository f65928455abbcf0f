"""The commands of `cases.CASES`, each with its folder, under the preloaded library."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.reliability.cases import CASES
from tests.reliability.disturbed import Command, compile_shim
from tests.reliability.trials import Trials


@pytest.fixture(scope="session")
def shim(tmp_path_factory) -> Path:
    """The compiled `intercept.c`."""
    return compile_shim(tmp_path_factory.mktemp("shim"))


@pytest.fixture(scope="module")
def trials(shim, tmp_path_factory, request) -> Iterator[Trials]:
    """Trials of the command that the test names."""
    case = CASES[request.param]
    with Command(case.module, shim, case.imported) as command:
        yield Trials(case, tmp_path_factory.mktemp("trials"), command)
