"""A report says how many images of the prepared data have no known patient."""

import json
from pathlib import Path

import numpy as np

from elbow_core.dataset import Segment, write_index
from elbow_core.evaluation import Predictions
from elbow_core.evaluation.report.content import MeanOfModels, image_flow
from elbow_core.evaluation.report.inputs import ReportInputs, ReportSettings
from elbow_core.evaluation.report.write import report_content, ungrouped_images

NOBODY = (
    "For 3 images of the prepared data nothing says whose they are, so each counts as a patient of "
    "its own; if some share a patient, that patient may be in two splits, and the intervals are "
    "too narrow."
)


def write_prepared(folder: Path, ungrouped: int) -> Path:
    folder.mkdir()
    segments = [Segment(4, 100, "")]
    write_index(folder, list("abcd"), segments, {"size": 8}, "", ungrouped=ungrouped)
    return folder


def test_number_is_that_of_the_archive_or_of_the_folder_of_the_manifest(tmp_path):
    data, other = write_prepared(tmp_path / "data", 3), write_prepared(tmp_path / "other", 0)
    assert ungrouped_images(ReportInputs(archive=data)) == 3
    assert ungrouped_images(ReportInputs(manifest=data / "manifest.csv")) == 3
    assert ungrouped_images(ReportInputs(manifest=data / "manifest.csv", archive=other)) == 0
    assert ungrouped_images(ReportInputs(manifest=tmp_path / "manifest.csv")) == 0
    assert ungrouped_images(ReportInputs()) == 0


def test_data_of_an_earlier_version_say_nothing(tmp_path):
    file = write_prepared(tmp_path / "data", 3) / "index.json"
    index = json.loads(file.read_text())
    del index["ungrouped"]
    file.write_text(json.dumps(index | {"format": 3}))
    assert ungrouped_images(ReportInputs(archive=tmp_path / "data")) == 0


def test_note_stands_in_the_report_where_patients_are_unknown():
    predictions = Predictions(
        image_id=np.array(list("abcd")),
        patient_id=np.array(list("abcd")),
        study_id=np.array(list("abcd")),
        label=np.array([0, 1, 0, 1]),
        score=np.array([0.2, 0.7, 0.4, 0.6]),
        prediction=np.array([0, 1, 0, 1]),
        model="m",
    )
    for ungrouped, notes in ((3, [NOBODY]), (0, [])):
        content = report_content(
            [predictions],
            validation={},
            thresholds=None,
            abstention={},
            pairs={},
            rows=None,
            groupings=[],
            notes=[],
            mean=MeanOfModels("", ["m"], "one model"),
            flow=image_flow(predictions, None, None, None),
            files=[],
            settings=ReportSettings(draws=100),
            ungrouped=ungrouped,
        )
        assert list(content.notes) == notes
