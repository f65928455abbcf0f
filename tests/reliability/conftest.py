"""The commands of `cases.CASES`, each with its folder, under the preloaded library.

At the end of the tests, the attacks that were tried and held are listed by command. `--sample N`,
given with this folder, tries at most N changes and files of each command, and N / 4 moments.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.reliability.cases import CASES
from tests.reliability.disturbed import Command, compile_shim
from tests.reliability.records import RECORDS
from tests.reliability.trials import Effort, Problems, Trials

_ATTACKS = "attacks"


def pytest_addoption(parser) -> None:
    """Add the option that makes these tests shorter."""
    parser.addoption("--sample", type=int, help="try at most so many changes of each command")


@pytest.fixture
def effort(request) -> Effort:
    """How much is tried; the option is unknown where another folder is given."""
    sample = request.config.getoption("--sample", default=None)
    return Effort() if sample is None else Effort(max(2, sample // 4), max(2, sample // 4), sample)


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


@pytest.fixture
def problems(request) -> Iterator[Problems]:
    """Counts what a test of one command tries, for the list at the end."""
    parameters = request.node.callspec.params
    case = (
        CASES[parameters["trials"]] if "trials" in parameters else RECORDS[parameters["name"]].case
    )
    found = Problems()
    yield found
    attack = request.node.originalname.removeprefix("test_")
    entry = (case.module.removesuffix(".__main__"), attack, found.tried, found.held)
    request.node.user_properties.append((_ATTACKS, entry))


def pytest_terminal_summary(terminalreporter) -> None:
    """List the attacks that held and those that were tried, by command and by test."""
    tried: dict[str, Counter[str]] = defaultdict(Counter)
    held: dict[str, Counter[str]] = defaultdict(Counter)
    # Passed parts of a test other than its call, such as its end, have an empty category.
    for report in terminalreporter.stats.get("", []):
        entries = [value for name, value in report.user_properties if name == _ATTACKS]
        if report.when == "teardown":
            for command, attack, number, successes in entries:
                tried[command][attack] += number
                held[command][attack] += successes
    for command in sorted(tried):
        terminalreporter.section(f"{command}: {held[command].total()} of {tried[command].total()}")
        for attack, number in tried[command].items():
            terminalreporter.line(f"{held[command][attack]:5} of {number:5}  {attack}")
