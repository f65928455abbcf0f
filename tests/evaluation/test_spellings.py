"""One patient, study or image in several spellings: one cluster, and a leak that is found."""

import json
import unicodedata
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from elbow_core.dataset import ManifestRow, write_archive, write_manifest
from elbow_core.errors import PredictionsError
from elbow_core.evaluation import Predictions, ReportInputs, ReportSettings, write_report
from elbow_core.evaluation.import_scores import main as import_scores
from elbow_core.evaluation.operating_points import validation_of
from elbow_core.evaluation.pairing import align
from elbow_core.evaluation.predictions import read_predictions
from elbow_core.evaluation.report.content import image_flow
from elbow_core.evaluation.statistics import clusters_of
from elbow_core.evaluation.studies import by_study
from elbow_core.evaluation.subgroups import attributes_of
from tests.support.scores import predictions_of

DECOMPOSED = unicodedata.normalize("NFD", "Müller")
SPELLINGS = ("p1", "P1 ", " P1", "P1\xa0", "P1\u200b", "\ufeffP1", "P１", "P1\t")


def table(patient: list[str], prefix: str = "i", study: list[str] | None = None) -> Predictions:
    n = len(patient)
    return predictions_of(
        [f"{prefix}{k}" for k in range(n)],
        patient,
        study or [""] * n,
        np.arange(n) % 2,
        np.linspace(0.1, 0.9, n),
    )


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_patient_of_the_test_set_is_found_in_validation_in_every_spelling(spelling):
    tested, validation = table(["P1", "P2"]), table(["P3", spelling], "v")
    with pytest.raises(PredictionsError, match="is in the test set too") as caught:
        validation_of([tested], [validation])
    assert f"written 'P1' there and {spelling!a} here" in str(caught.value)


def test_decomposed_patient_and_image_are_found_in_validation():
    with pytest.raises(PredictionsError, match="patient 'Müller' is in the test set too, written"):
        validation_of([table([DECOMPOSED, "q"])], [table(["r", "Müller"], "v")])
    tested = table(["a", "b"], DECOMPOSED)
    with pytest.raises(PredictionsError, match="image 'Müller0' is in the test set too, written"):
        validation_of([tested], [table(["c", "d"], "Müller")])


@pytest.mark.parametrize("blank", ["", " ", "\xa0", "\u200b"])
def test_unknown_patients_are_no_leak_and_each_image_is_a_cluster(blank):
    tested, validation = table([blank] * 4), table([blank] * 4, "v")
    assert validation_of([tested], [validation]) == {"m": validation}
    assert len(set(clusters_of(tested.patient_id).tolist())) == 4


@pytest.mark.parametrize("name", ["P1", *SPELLINGS])
def test_report_of_imported_scores_refuses_the_leak(tmp_path, name):
    for kind, patient in (("test", "P1"), ("val", name)):
        lines = [
            f"{kind}{k},{k % 2},{(k * 7 % 10) / 10},{patient if k == 0 else f'{kind}{k}'}"
            for k in range(20)
        ]
        text = "\n".join(["file,truth,prob,pat", *lines]) + "\n"
        (tmp_path / f"{kind}.csv").write_text(text, encoding="utf-8")
        options = {"image-id": "file", "label": "truth", "score": "prob", "patient-id": "pat"}
        options |= {"model": "M", "out": str(tmp_path / f"{kind}_p.csv")}
        given = [f"--{option}={value}" for option, value in options.items()]
        assert import_scores([str(tmp_path / f"{kind}.csv"), *given]) == 0
    tested, validation = (read_predictions(tmp_path / f"{kind}_p.csv") for kind in ("test", "val"))
    assert validation.patient_id[0] == name
    with pytest.raises(PredictionsError, match=r"val_p\.csv:2: patient .* is in the test set too"):
        write_report([tested], tmp_path / "report", ReportInputs(validation=[validation]))
    assert not (tmp_path / "report").exists()


def test_images_of_one_patient_are_one_cluster_in_every_spelling():
    clusters = clusters_of(np.array(["P1", *SPELLINGS, "P2", "", DECOMPOSED, "MÜLLER"]))
    assert len(set(clusters[: 1 + len(SPELLINGS)].tolist())) == 1
    assert clusters[-2] == clusters[-1]
    assert sorted(set(clusters.tolist())) == [0, 1, 2, 3]


def test_clusters_of_normal_ids_are_numbered_in_sorted_order():
    rng = np.random.default_rng(0)
    ids = np.array(["b", "B2", "a", "Z", "é", "z1", "", "10", "9"])[rng.integers(0, 9, 60)]
    known = ids[ids != ""]
    numbered = clusters_of(ids)
    np.testing.assert_array_equal(numbered[ids != ""], np.unique(known, return_inverse=True)[1])
    assert numbered[ids == ""].tolist() == list(range(8, 8 + int(np.sum(ids == ""))))


def test_spellings_widen_the_intervals_as_equal_ids_do(tmp_path):
    rng = np.random.default_rng(1)
    label = np.repeat(rng.integers(0, 2, 20), 3)
    score = np.clip(rng.normal(0.3 + 0.4 * label, 0.2), 0, 1)
    written = []
    for name in (["P{0}"] * 3, ["P{0}", "p{0}", "P{0} "]):
        patient = [name[k % 3].format(k // 3) for k in range(60)]
        found = predictions_of([f"i{k}" for k in range(60)], patient, [""] * 60, label, score)
        written.append(write_report([found], tmp_path / "out", settings=ReportSettings(draws=100)))
    assert written[0]["patients"] == written[1]["patients"] == 20
    assert written[0]["models"]["m"]["intervals"] == written[1]["models"]["m"]["intervals"]


def test_image_that_is_in_one_file_in_two_forms_is_repeated():
    for first, second in ((DECOMPOSED, "Müller"), ("a", "a "), ("a", "a\u200b")):
        with pytest.raises(PredictionsError, match="appears a second time"):
            predictions_of([first, second], ["", ""], ["", ""], [0, 1], [0.1, 0.9])
    with pytest.raises(PredictionsError, match="image_id is empty"):
        predictions_of(["\xa0"], [""], [""], [0], [0.1])
    predictions_of(["a", "A"], ["", ""], ["", ""], [0, 1], [0.1, 0.9])


def renamed(found: Predictions, model: str, **columns: list[str]) -> Predictions:
    return replace(
        found, model=model, **{name: np.array(values) for name, values in columns.items()}
    )


def test_two_systems_are_paired_though_they_write_ids_in_another_form():
    first = predictions_of(
        ["Ärm.png", "b.png", "ö.png"],
        ["P1", "P1", "P2"],
        ["S1", "", "S2"],
        [0, 1, 0],
        [0.1, 0.9, 0],
    )
    order = [2, 0, 1]
    other = Predictions(
        image_id=np.array([unicodedata.normalize("NFD", f"{first.image_id[k]} ") for k in order]),
        patient_id=np.array([("p1 ", "P１", "p2")[k] for k in order]),
        study_id=np.array([("s1", "", "S2\xa0")[k] for k in order]),
        label=first.label[order],
        score=np.array([0.3, 0.1, 0.2]),
        prediction=first.prediction[order],
        model="other",
    )
    aligned = align([first, other])[1]
    assert aligned.score.tolist() == [0.1, 0.2, 0.3]
    for name in ("image_id", "patient_id", "study_id"):
        assert getattr(aligned, name).tolist() == getattr(first, name).tolist()


@pytest.mark.parametrize("column", ["patient_id", "study_id"])
def test_ids_that_differ_in_more_than_spelling_are_refused(column):
    first = predictions_of(["a", "b"], ["P1", "P2"], ["S1", "S2"], [0, 1], [0.1, 0.9])
    values = [*getattr(first, column).tolist()[:1], "other"]
    with pytest.raises(PredictionsError, match=f"image 'b' has {column} 'other', but"):
        align([first, renamed(first, "second", **{column: values})])


def test_study_is_one_in_every_spelling():
    studies = by_study(
        predictions_of(
            list("abcd"),
            ["P1", "p1", "P1 ", "P2"],
            ["S1", "s1 ", "S１", "S1"],
            [0, 1, 0, 0],
            [0.2, 0.6, 0.4, 0.4],
        )
    )
    assert studies is not None
    assert studies.images.tolist() == [3, 1]
    blank = predictions_of(["a"], ["p"], ["\xa0"], [1], [0.5])
    assert by_study(blank) is None


def manifest_row(image_id: str, split: str, patient: str, label: int) -> ManifestRow:
    return ManifestRow(
        image_id, f"{split}_{label}.png", label, split, patient, "s", "ap", "elbow", "normal", "x"
    )


def test_manifest_is_matched_and_counted_in_every_form():
    rows = [
        manifest_row(DECOMPOSED, "test", "P1", 0),
        manifest_row("b", "test", "p1", 1),
        manifest_row("c", "train", "P１", 1),
        manifest_row("d", "train", "P2", 1),
    ]
    found = predictions_of(["Müller", "b"], ["P1", "P1"], ["", ""], [0, 1], [0.1, 0.9])
    assert attributes_of(found, rows)["view"].tolist() == ["ap", "ap"]
    flow = image_flow(found, rows, None)
    assert [(row.split, row.patients, row.used) for row in flow.splits] == [
        ("train", 2, 0),
        ("test", 1, 2),
    ]
    assert flow.used_of == 2
    assert flow.patients_in_two_splits == 1


def test_worst_errors_are_found_in_an_archive_of_the_other_form(tmp_path):
    archive: Path = tmp_path / "archive"
    names = [DECOMPOSED, "b"]
    write_archive(archive, names, np.zeros((2, 32, 32), np.uint8), {"size": 32})
    rows = [manifest_row(name, "test", name, label) for label, name in enumerate(names)]
    write_manifest(archive / "manifest.csv", rows)
    found = predictions_of(["Müller", "b"], ["P1", "P2"], ["", ""], [0, 1], [0.9, 0.1])
    inputs = ReportInputs(archive=archive, manifest=archive / "manifest.csv")
    write_report([found], tmp_path / "out", inputs, ReportSettings(draws=100))
    assert len(list((tmp_path / "out/figures").glob("worst_*.png"))) == 2
    worst = json.loads((tmp_path / "out/metrics.json").read_text())["models"]["m"]["worst"]
    assert [error["image_id"] for error in worst] == ["Müller", "b"]
