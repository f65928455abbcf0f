"""The directory of a run: what may change on resuming, and what is recorded where."""

import json
from pathlib import Path

import pytest

from elbow_core.config import StrictModel, load_config
from elbow_core.errors import ConfigError
from elbow_core.runs import (
    CONFIG,
    RECORD,
    ResumeRules,
    begin_run,
    locate,
    resume_run,
    without_paths,
)
from elbow_core.runs.local_places import LOCAL


class Inner(StrictModel):
    rate: float = 0.1
    workers: int = 0


class Config(StrictModel):
    run: str = "run"
    inner: Inner = Inner()
    epochs: int = 2
    init: str | dict[str, str] | None = None


RULES = ResumeRules(
    harmless=frozenset(("run", "inner.workers")),
    raised=frozenset(("epochs",)),
    same={"init": lambda name, change, recorded: change.after == recorded["known"][name]},
    reasons={"epochs": "a run cannot be shortened"},
)
RECORDED = {
    "began": "2026-01-01",
    "data": "prepared",
    "data_fingerprint": "1",
    "known": {"init": "b", "init.first": "c"},
    "settings": {"JAX_DEFAULT_MATMUL_PRECISION": "highest"},
    "environment": {},
}


@pytest.fixture
def run(tmp_path) -> Path:
    begin_run(tmp_path / "run", Config(init="a"), RECORDED)
    return tmp_path / "run"


def resume(run: Path, config: Config, **record) -> dict:
    return resume_run(run, config, RECORDED | record, RULES)


def test_nothing_changed_is_recorded_as_a_resumption(run):
    before = (run / CONFIG).read_bytes()
    assert resume(run, Config(init="a"), began="2026-01-02") == {}
    assert (run / CONFIG).read_bytes() == before
    record = json.loads((run / RECORD).read_text())
    shared = {key: value for key, value in RECORDED.items() if key != "data"}
    assert record == shared | {"resumed": [{"began": "2026-01-02"}]}
    starts = json.loads((run / LOCAL).read_text())["starts"]
    assert starts == [{"data": "prepared"}] * 2


@pytest.mark.parametrize(
    ("config", "changed"),
    [
        (Config(init="a", inner=Inner(workers=3)), {"inner.workers": [0, 3]}),
        (Config(init="a", run="elsewhere"), {"run": ["run", "elsewhere"]}),
        (Config(init="a", epochs=5), {"epochs": [2, 5]}),
        (Config(init="b"), {"init": ["a", "b"]}),
    ],
)
def test_change_that_does_not_matter_is_accepted_and_recorded(run, config, changed):
    assert {name: list(change) for name, change in resume(run, config).items()} == changed
    assert load_config(Config, run / CONFIG) == config
    assert json.loads((run / RECORD).read_text())["resumed"] == [{"changed": changed}]
    assert resume(run, config) == {}


@pytest.mark.parametrize(
    ("config", "record", "message"),
    [
        (Config(init="a", inner=Inner(rate=0.2)), {}, "inner.rate is 0.2 and the run began with 0"),
        (Config(init="a", epochs=1), {}, "epochs is 1 .* began with 2; a run cannot be shortened"),
        (Config(init="c"), {}, "init is c and the run began with a"),
        (Config(init=None), {}, "init is None"),
        (Config(init="a"), {"data_fingerprint": "2"}, "has been prepared again"),
        (
            Config(init="a"),
            {"settings": {}},
            "JAX_DEFAULT_MATMUL_PRECISION is unset and the run began with highest",
        ),
        (Config(init="a"), {"settings": RECORDED["settings"] | {"X": "1"}}, "X is 1 .* unset"),
    ],
)
def test_change_that_matters_is_refused_and_nothing_is_written(run, config, record, message):
    before = [(run / name).read_bytes() for name in (CONFIG, RECORD)]
    with pytest.raises(ConfigError, match=message):
        resume(run, config, **record)
    assert [(run / name).read_bytes() for name in (CONFIG, RECORD)] == before


def test_record_names_no_place_of_this_machine(run):
    """``run.json`` is for others; commands and places are in a file that is not."""
    place = "/home/alice/my data/prepared"
    resume(
        run,
        Config(init="a", run="/home/alice/runs/x"),
        command=["train.py", "--run", "/home/alice/runs/x"],
        working_directory="/home/alice",
        data=place,
        environment={"XLA_FLAGS": "--xla_dump_to=/home/alice/dump --fast"},
        base={"origin": ["~/alice/weights", "../alice/weights", "google/medgemma-4b-it"]},
    )
    text = (run / RECORD).read_text()
    assert "alice" not in text
    resumed = json.loads(text)["resumed"][0]
    assert resumed["environment"] == {"XLA_FLAGS": "--xla_dump_to=dump --fast"}
    assert resumed["base"]["origin"] == ["weights", "weights", "google/medgemma-4b-it"]
    assert resumed["changed"] == {"run": ["run", "x"]}
    start = json.loads((run / LOCAL).read_text())["starts"][1]
    assert start["data"] == place
    assert start["command"][2] == "/home/alice/runs/x"
    assert start["changed"] == {"run": ["run", "/home/alice/runs/x"]}


@pytest.mark.parametrize(
    ("text", "shared"),
    [
        ("/home/alice/a b.csv", "a b.csv"),
        ("~/alice/x", "x"),
        ("../alice/x", "x"),
        ("--a=/home/alice/x --b /home/alice/y", "--a=x --b y"),
        ("{kind: folder, path: /home/alice/x}", "{kind: folder, path: x}"),
        ("google/medgemma-4b-it", "google/medgemma-4b-it"),
        ("https://example.org/alice/x", "https://example.org/alice/x"),
        ("and/or 1 / 2, runs/x", "and/or 1 / 2, runs/x"),
        ("Linux-6.1-x86_64", "Linux-6.1-x86_64"),
    ],
)
def test_paths_that_name_a_machine_are_cut_to_their_last_part(text, shared):
    assert without_paths({"a": [text, 1, None]}) == {"a": [shared, 1, None]}


def test_resumption_of_an_older_run_moves_its_places_to_their_own_file(run):
    older = RECORDED | {
        "command": ["train.py"],
        "working_directory": "/home/alice/old",
        "resumed": [{"working_directory": "/home/alice/older", "began": "2026-01-01"}],
    }
    (run / RECORD).write_text(json.dumps(older))
    (run / LOCAL).unlink()
    assert locate(run, Path("weights")) == Path("/home/alice/older/weights")
    resume(run, Config(init="a"), working_directory="/home/alice/new")
    assert "alice" not in (run / RECORD).read_text()
    starts = json.loads((run / LOCAL).read_text())["starts"]
    assert [start["working_directory"] for start in starts] == [
        f"/home/alice/{name}" for name in ("old", "older", "new")
    ]
    assert locate(run, Path("weights")) == Path("/home/alice/new/weights")


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"schema": 1, "starts": [1]}'])
def test_unreadable_file_of_places_is_named(run, text):
    (run / LOCAL).write_text(text)
    with pytest.raises(ConfigError, match=r"local\.json.*restore it or delete it"):
        resume(run, Config(init="a"))


def test_other_environment_is_named_and_recorded(run, capsys):
    resume(run, Config(init="a"), environment={"XLA_FLAGS": "--fast"})
    assert "XLA_FLAGS is --fast and was unset when the run began" in capsys.readouterr().err
    record = json.loads((run / RECORD).read_text())
    assert record["resumed"] == [{"environment": {"XLA_FLAGS": "--fast"}}]


def test_record_of_an_older_version_has_no_settings_to_compare(run):
    older = {key: value for key, value in RECORDED.items() if key != "settings"}
    (run / RECORD).write_text(json.dumps(older))
    assert resume(run, Config(init="a")) == {}


@pytest.mark.parametrize("text", ["", "{", "[]", "{}"])
def test_unreadable_record_is_named(run, text):
    (run / RECORD).write_text(text)
    with pytest.raises(ConfigError, match=r"run\.json"):
        resume(run, Config(init="a"))
