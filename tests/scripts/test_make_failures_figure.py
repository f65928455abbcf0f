from pathlib import Path

import cv2
import numpy as np
import pytest

from elbow_core.dataset import open_prepared
from elbow_core.errors import UserError
from elbow_core.evaluation.localisation import (
    LocalisationSettings,
    compare_maps,
    write_localisation,
)
from scripts.make_failures_figure import COLUMNS, failures_figure, main
from tests.support.heat_maps import write_set
from tests.support.small_data import write_prepared


@pytest.fixture
def report(tmp_path) -> Path:
    """A report on two sets of maps whose maximum is in a corner, and one of random weights."""
    data = open_prepared(write_prepared(tmp_path / "data"))
    corner = np.zeros((32, 32))
    corner[31, 31] = 1.0
    sets = [
        write_set(tmp_path / name, data, lambda row: corner, **changes)
        for name, changes in {
            "a": {},
            "r": {"weights": "random"},
            "b": {"method": "Occlusion"},
        }.items()
    ]
    write_localisation(
        compare_maps(sets, data.directory, LocalisationSettings(draws=200)), tmp_path / "report"
    )
    return tmp_path / "report"


def test_figure_has_a_row_for_each_set_of_trained_weights(report):
    figure = failures_figure(report, ())
    parts = list(figure.subfigs)
    assert [part.get_suptitle() for part in parts] == ["Grad-CAM, small", "Occlusion, small"]
    failures = {0: 0, 2: 0}
    for path in (report / "figures").glob("failure_*"):
        failures[int(path.name.split("_")[1])] += 1
    shown = [sum(bool(ax.images) for ax in part.axes) for part in parts]
    assert shown == [min(COLUMNS, count) for count in failures.values()]
    assert all(shown)


def test_command_writes_the_same_picture_again(report, tmp_path, capsys):
    out = tmp_path / "figures/failures.png"
    arguments = [str(report), "first", "second", "--out", str(out)]
    assert main(arguments) == 0
    assert capsys.readouterr().out == f"{out}\n"
    first = out.read_bytes()
    picture = cv2.imread(str(out))
    assert picture is not None
    assert len(np.unique(picture)) > 10
    main(arguments)
    assert out.read_bytes() == first


def test_other_folders_and_other_numbers_of_names_are_refused(report, tmp_path):
    with pytest.raises(UserError, match="is not a report on heat maps"):
        failures_figure(tmp_path, ())
    with pytest.raises(UserError, match="failures of 2 sets, not of 1"):
        failures_figure(report, ("one",))
    for path in (report / "figures").glob("failure_*"):
        path.unlink()
    with pytest.raises(UserError, match="has no pictures of failures"):
        failures_figure(report, ())
