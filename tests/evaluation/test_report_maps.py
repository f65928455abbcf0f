"""The section of a report on heat maps."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from elbow_core.dataset import ManifestRow, open_prepared
from elbow_core.errors import PredictionsError
from elbow_core.evaluation import ReportInputs, ReportSettings, read_predictions, write_report
from elbow_core.evaluation.heat_maps import NO_EVIDENCE, write_maps
from elbow_core.evaluation.report import __main__
from elbow_core.evaluation.report.maps_section import NO_PROOF, SAMPLE
from elbow_core.evaluation.report.tables import UNDEFINED
from tests.support.commands import refusal_of, status_of
from tests.support.heat_maps import card_of, write_set
from tests.support.report_inputs import write_inputs


@pytest.fixture(scope="module")
def inputs(tmp_path_factory) -> Path:
    """Predictions of two models, a prepared folder, and maps of one of them; read-only."""
    folder = tmp_path_factory.mktemp("inputs")
    write_inputs(folder)
    data = open_prepared(folder / "prepared")
    write_set(folder / "maps", data, corner, network="convnext")
    write_set(folder / "random", data, corner, network="convnext", weights="random")
    return folder


def corner(row: ManifestRow) -> np.ndarray:
    """A map whose upper left quarter alone is evidence."""
    values = np.zeros((8, 8), np.float32)
    values[:4, :4] = 1 + row.label
    return values


def arguments(folder: Path, out: Path, *maps: str) -> list[str]:
    files = [str(folder / "a.csv"), str(folder / "b.csv"), "--out", str(out), "--draws", "100"]
    found = [*files, "--archive", str(folder / "prepared")]
    return [*found, "--maps", *(str(folder / name) for name in maps)] if maps else found


def test_section_shows_the_worst_errors_and_a_sample_under_their_maps(inputs, tmp_path):
    assert status_of(__main__, *arguments(inputs, tmp_path / "out", "maps")) == 0
    text = (tmp_path / "out/report.md").read_text().replace("\\", "")  # of escapes
    assert "## Heat maps" in text
    assert NO_PROOF.partition(" How often")[0] in text
    worst = json.loads((tmp_path / "out/metrics.json").read_text())["models"]["convnext"]["worst"]
    figures = sorted(path.name for path in (tmp_path / "out/figures").glob("map_*"))
    assert figures == [
        *(f"map_0_sample_{rank:02d}.png" for rank in range(SAMPLE)),
        *(f"map_0_worst_{rank:02d}.png" for rank in range(len(worst))),
    ]
    for rank, error in enumerate(worst):
        assert f"{error['image_id']}: labelled" in text
        picture = cv2.imread(str(tmp_path / f"out/figures/map_0_worst_{rank:02d}.png"))
        assert picture is not None
        rows, columns, _ = picture.shape
        # The edge of so coarse a map fades over half of its pixel.
        quarter, rest = (
            picture[20 : rows // 3, 20 : columns // 3],
            picture[-rows // 3 :, -columns // 3 :],
        )
        assert np.ptp(rest) == 0  # the archive's image k is of grey k, and no evidence covers it
        assert (quarter[..., 2] > rest[0, 0, 2]).all()  # evidence is bright and yellow
    # An earlier report with its maps is replaced, and one without maps has no section.
    assert status_of(__main__, *arguments(inputs, tmp_path / "out")) == 0
    assert "## Heat maps" not in (tmp_path / "out/report.md").read_text()


def test_maps_of_other_models_of_random_weights_or_without_radiographs_are_refused(
    inputs, tmp_path, capsys
):
    line = refusal_of(capsys, __main__, *arguments(inputs, tmp_path / "out", "random"))
    assert "is of random weights" in line
    data = open_prepared(inputs / "prepared")
    write_set(tmp_path / "other", data, corner, network="somebody")
    line = refusal_of(
        capsys, __main__, *arguments(inputs, tmp_path / "out", str(tmp_path / "other"))
    )
    assert "explains 'somebody', which is no model of this report" in line
    with pytest.raises(PredictionsError, match="give --archive"):
        write_report(
            [read_predictions(inputs / "a.csv")],
            tmp_path / "out",
            ReportInputs(maps=[inputs / "maps"]),
            ReportSettings(draws=100),
        )
    assert not (tmp_path / "out").exists()


def test_maps_of_other_images_are_refused_and_missing_ones_are_counted(inputs, tmp_path, capsys):
    data = open_prepared(inputs / "prepared")
    row = next(row for row in data.rows if row.split == "test")
    card = card_of([row], (8, 8), network="convnext")
    write_maps(tmp_path / "one", card, [corner(row)])
    assert status_of(__main__, *arguments(inputs, tmp_path / "out", str(tmp_path / "one"))) == 0
    assert "of the worst errors have no map." in (tmp_path / "out/report.md").read_text()
    other = [image.model_copy(update={"image_id": "elsewhere"}) for image in card.images]
    changed = card.model_copy(update={"images": tuple(other)})
    write_maps(tmp_path / "two", changed, [corner(row)])
    line = refusal_of(
        capsys, __main__, *arguments(inputs, tmp_path / "out2", str(tmp_path / "two"))
    )
    assert "has no map of an image of this report" in line


def test_empty_map_is_said_to_show_no_evidence(inputs, tmp_path):
    data = open_prepared(inputs / "prepared")
    write_set(tmp_path / "empty", data, lambda row: 0 * corner(row), network="convnext")
    assert status_of(__main__, *arguments(inputs, tmp_path / "out", str(tmp_path / "empty"))) == 0
    text = (tmp_path / "out/report.md").read_text()
    assert text.count(NO_EVIDENCE) >= SAMPLE
    assert status_of(__main__, *arguments(inputs, tmp_path / "out", "maps")) == 0
    assert NO_EVIDENCE not in (tmp_path / "out/report.md").read_text()


def measures(value: float | None) -> dict:
    names = ("pointing", "pointing_tolerant", "energy", "iou", "froc_mean")
    return {name: {"value": value, "low": 0.25, "high": 0.75, "reason": ""} for name in names}


def test_table_of_a_localisation_report_stands_beside_the_maps(inputs, tmp_path, capsys):
    found = {"Grad-CAM, convnext": 0.5, "prior": None}
    sets = {label: {"measures": measures(value)} for label, value in found.items()}
    path = tmp_path / "localisation.json"
    path.write_text(json.dumps({"schema": 1, "kind": "localisation", "sets": sets}))
    options = ["--localisation", str(path)]
    given = arguments(inputs, tmp_path / "out", "maps")
    assert status_of(__main__, *given, *options) == 0
    text = (tmp_path / "out/report.md").read_text()
    cells = " | ".join(["0.500 (0.250 to 0.750)"] * 5)
    assert f"| Grad-CAM, convnext | {cells} |" in text
    assert f"| prior | {' | '.join([UNDEFINED] * 5)} |" in text
    line = refusal_of(capsys, __main__, *arguments(inputs, tmp_path / "out"), *options)
    assert "measures heat maps; give --maps too" in line
    path.write_text(json.dumps({"schema": 1, "kind": "readers"}))
    line = refusal_of(capsys, __main__, *given, *options)
    assert "is not a localisation.json" in line
