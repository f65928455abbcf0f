"""The DICOM objects of a radiograph: what they say, to whom they belong, their UIDs and bytes."""

import io
import warnings
from dataclasses import replace
from datetime import timedelta
from typing import Any

import numpy as np
import pytest
from pydicom import Dataset, dcmread
from pydicom.uid import UID, ComputedRadiographyImageStorage

from elbow_core.errors import RadiographError
from reading_room.dicom import MANUFACTURER, NOT_A_DEVICE, Objects, object_uids, read_source
from reading_room.dicom.presentation_state import hottest_box
from reading_room.inference import OperatingPoint
from tests.support.dicom_files import dicom, table
from tests.support.dicom_folders import pixels
from tests.support.findings import ALGORITHM, MOMENT, finding_of, objects_of
from tests.support.odd_headers import UIDS, odd_radiograph, with_texts

UIDS_OF_ONE: dict[str, Any] = {
    "SOPClassUID": ComputedRadiographyImageStorage,
    "SOPInstanceUID": "1.2.840.99.1",
    "StudyInstanceUID": "1.2.840.99.2",
    "SeriesInstanceUID": "1.2.840.99.3",
}


def radiograph(**fields: Any) -> bytes:
    return dicom(pixels(1), **(UIDS_OF_ONE | fields))


def encoded(made: Dataset) -> bytes:
    file = io.BytesIO()
    made.save_as(file, enforce_file_format=True)
    return file.getvalue()


def bytes_of(objects: Objects) -> dict[str, bytes]:
    return {name: encoded(made) for name, made in objects.named()}


def texts_of(report: Dataset) -> list[str]:
    """All texts, codes and numbers of a report."""
    keywords = ("TextValue", "CodeValue", "NumericValue", "UID")
    return [str(element.value) for element in report.iterall() if element.keyword in keywords]


def test_report_identifies_algorithm_score_operating_point_gate_and_says_what_it_is_not():
    texts = texts_of(objects_of(radiograph(), score=0.87, distance=1.5).report)
    assert "0.87" in texts
    assert "0.4" in texts  # the threshold
    assert "UNLIKE" in texts
    assert "52101004" in texts  # SNOMED CT: present
    assert f"{MANUFACTURER} {ALGORITHM.network}" in texts
    assert ALGORITHM.version in texts
    assert f"weights SHA-256: {ALGORITHM.weights_sha256}" in texts
    assert f"operating point: {ALGORITHM.point}" in texts
    assert NOT_A_DEVICE in texts


@pytest.mark.parametrize(
    ("score", "code"), [(0.1, "272519000"), (0.5, "373068000"), (0.9, "52101004")]
)
def test_answer_is_a_code_and_only_a_present_injury_is_a_finding(score, code):
    point = OperatingPoint("abstention", 0.3, 0.7)
    algorithm = replace(ALGORITHM, point=point)
    data = radiograph()
    finding = replace(finding_of(data, score), answer=point.answer(score))
    from reading_room.dicom import make_objects

    report = make_objects(read_source(data, "x"), finding, algorithm, MOMENT).report
    texts = texts_of(report)
    answers = {"272519000", "373068000", "52101004"}
    assert answers & set(texts) == {code}
    assert ("121071" in texts) == (code == "52101004")  # DCM: Finding


def test_every_object_says_that_it_is_no_medical_device():
    objects = objects_of(radiograph())
    assert NOT_A_DEVICE in texts_of(objects.report)
    assert NOT_A_DEVICE in objects.heat_map.ImageComments
    (annotation,) = objects.presentation.GraphicAnnotationSequence
    assert "NOT A MEDICAL DEVICE" in annotation.TextObjectSequence[0].UnformattedTextValue


@pytest.mark.parametrize("number", range(10))
def test_objects_belong_to_the_patient_and_the_study_of_the_radiograph(number):
    data = odd_radiograph(number)
    header = read_source(data, "x").header
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what is odd about it
        original = dcmread(io.BytesIO(data))
        patient_id = str(original.get("PatientID") or "").strip()
    for name, content in bytes_of(objects_of(data)).items():
        made = dcmread(io.BytesIO(content))
        assert made.StudyInstanceUID == original.StudyInstanceUID, name
        assert str(made.PatientID) == patient_id, name
        assert str(made.PatientName) == str(header.PatientName), name
        assert made.SeriesInstanceUID != original.SeriesInstanceUID, name
        assert made.Manufacturer == MANUFACTURER, name


@pytest.mark.parametrize(
    ("characters", "codec", "name"),
    [
        ("ISO_IR 100", "latin-1", "Müller^Jörg"),
        ("ISO_IR 192", "utf-8", "山田^太郎"),
        ("ISO_IR 144", "iso8859-5", "Иванов^Иван"),
        ("\\ISO 2022 IR 87", "iso2022_jp", "Yamada^Tarou=山田^太郎=やまだ^たろう"),
        ("GB18030", "gb18030", "Wang^XiaoDong=王^小东"),
    ],
)
def test_name_survives_in_any_character_set(characters, codec, name):
    fields = {"SpecificCharacterSet": characters, "PatientName": name.encode(codec)}
    data = with_texts(radiograph(), **fields)
    assert name.encode(codec) in data
    objects = objects_of(data)
    for content in bytes_of(objects).values():
        made = dcmread(io.BytesIO(content))
        assert str(made.PatientName) == name
        assert made.SpecificCharacterSet == "ISO_IR 192"


def test_same_work_has_the_same_bytes():
    assert bytes_of(objects_of(radiograph())) == bytes_of(objects_of(radiograph()))


def test_another_moment_changes_dates_and_times_alone():
    early, late = (
        objects_of(radiograph(), moment=MOMENT + timedelta(days=days, hours=days))
        for days in (0, 1)
    )
    for (name, first), (_, second) in zip(early.named(), late.named(), strict=True):
        different = {
            element.keyword
            for element in first
            if element.tag not in second or second[element.tag] != element
        }
        assert different
        times = ("Date", "Time", "DateTime", "SecondaryCapture", "ContributingEquipmentSequence")
        assert all(keyword.endswith(times) for keyword in different), (name, different)


def test_uids_follow_from_radiograph_model_and_settings():
    uids = set(object_uids("1.2.3", ALGORITHM.settings()))
    assert uids == set(object_uids("1.2.3", replace(ALGORITHM, version="0.2").settings()))
    others = [
        object_uids("1.2.4", ALGORITHM.settings()),
        object_uids("1.2.3", replace(ALGORITHM, weights_sha256="0" * 64).settings()),
        object_uids("1.2.3", replace(ALGORITHM, card_sha256="0" * 64).settings()),
        object_uids("1.2.3", replace(ALGORITHM, method="hires_cam").settings()),
        object_uids("1.2.3", replace(ALGORITHM, point=OperatingPoint("0.5", 0.5, 0.5)).settings()),
    ]
    everything = [*uids, *(uid for other in others for uid in other)]
    assert len(set(everything)) == len(everything) == 18
    assert all(uid.startswith("2.25.") and uid.is_valid for uid in everything)


def test_frame_of_reference_is_there_only_where_the_radiograph_has_one():
    assert "1.2.840.5" not in texts_of(objects_of(radiograph()).report)
    report = objects_of(radiograph(FrameOfReferenceUID="1.2.840.5")).report
    assert "1.2.840.5" in texts_of(report)


def test_heat_map_is_derived_burnt_in_and_refers_to_the_radiograph():
    made = objects_of(radiograph()).heat_map
    assert list(made.ImageType) == ["DERIVED", "SECONDARY"]
    assert made.SourceImageSequence[0].ReferencedSOPInstanceUID == "1.2.840.99.1"
    picture = made.pixel_array
    assert picture.shape == (made.Rows, made.Columns, 3)
    colour = np.ptp(picture.astype(int), axis=2)
    rows, _ = np.nonzero(colour > 60)
    assert len(rows)  # the warm region, in the upper half
    assert np.median(rows) < made.Rows / 2


@pytest.mark.parametrize("burned_in", ["YES", "NO", None])
def test_heat_map_shows_what_is_burnt_into_the_radiograph_and_says_so(burned_in):
    fields = {} if burned_in is None else {"BurnedInAnnotation": burned_in}
    assert objects_of(radiograph(**fields)).heat_map.get("BurnedInAnnotation") == burned_in


def test_box_is_the_largest_hot_region_in_pixels_of_the_radiograph():
    heat = finding_of(radiograph()).heat
    assert hottest_box(heat, 320, 640) == (200, 80, 400, 140)
    assert hottest_box(np.zeros((4, 4), np.float32), 8, 8) is None


def test_radiograph_that_is_called_normal_has_no_box():
    normal, injured = (
        objects_of(radiograph(), score=score).presentation.GraphicAnnotationSequence[0]
        for score in (0.1, 0.9)
    )
    assert "GraphicObjectSequence" not in normal
    assert injured.GraphicObjectSequence[0].NumberOfGraphicPoints == 5


@pytest.mark.parametrize(
    ("photometric", "shape"), [("MONOCHROME1", "INVERSE"), ("MONOCHROME2", "IDENTITY")]
)
def test_presentation_keeps_bone_bright(photometric, shape):
    made = objects_of(radiograph(PhotometricInterpretation=photometric)).presentation
    assert made.PresentationLUTShape == shape


def shown(made: Dataset, words: np.ndarray) -> np.ndarray:
    """The levels of a presentation state, 0 to 1, by a plain reading of PS3.3 C.11."""
    levels = words.astype(float)
    if "ModalityLUTSequence" in made:
        levels = _looked_up(made.ModalityLUTSequence[0], levels)
    elif "RescaleSlope" in made:
        levels = levels * float(made.RescaleSlope) + float(made.RescaleIntercept)
    (voi,) = made.get("SoftcopyVOILUTSequence") or [Dataset()]
    if "VOILUTSequence" in voi:
        levels = _looked_up(voi.VOILUTSequence[0], levels)
    elif "WindowCenter" in voi:
        centre, width = float(voi.WindowCenter), float(voi.WindowWidth)
        return np.clip((levels - (centre - 0.5)) / (width - 1) + 0.5, 0, 1)
    return levels / 65535


def _looked_up(item: Dataset, levels: np.ndarray) -> np.ndarray:
    _, first, bits = item.LUTDescriptor
    assert bits == 16
    data = np.frombuffer(item.LUTData, "<u2").astype(float)
    return data[np.clip(levels.astype(int) - first, 0, len(data) - 1)]


CURVE = np.rint(4095 * (np.arange(4096) / 4095) ** 1.5).astype(np.uint16)


WINDOW = {"WindowCenter": "1500", "WindowWidth": "2000"}


@pytest.mark.parametrize(
    "kinds",
    ["window", "voi", "rescaling window", "modality", "modality voi", "modality window"],
)
def test_presentation_shows_the_grey_levels_of_the_radiograph(kinds):
    modality = table(CURVE, bits=12)
    modality.ModalityLUTType = "US"
    parts = {
        "window": WINDOW,
        "voi": {"VOILUTSequence": [table(CURVE, bits=12)]},
        "rescaling": {"RescaleSlope": "2", "RescaleIntercept": "-100"},
        "modality": {"ModalityLUTSequence": [modality]},
    }
    fields = {}
    for kind in kinds.split():
        fields |= parts[kind]
    data = radiograph(**fields)
    levels = shown(objects_of(data).presentation, pixels(1))
    levels = (levels - levels.min()) / np.ptp(levels)
    # `decode_radiograph` scales to the image's own range too.
    np.testing.assert_allclose(levels * 255, finding_of(data).grey, atol=0.75)


@pytest.mark.parametrize("keyword", UIDS)
@pytest.mark.parametrize(("value", "reason"), [("", "has no"), ("secret^name", "that is no UID")])
def test_radiograph_to_which_no_result_can_refer_is_refused(keyword, value, reason):
    data = with_texts(radiograph(), **{keyword: value}, private=True)
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the value
        file = dcmread(io.BytesIO(data))
        file.file_meta.MediaStorageSOPInstanceUID = UID("")
        file.save_as(buffer)
    with pytest.raises(RadiographError, match=f"^a.dcm: .*{keyword}") as caught:
        read_source(buffer.getvalue(), "a.dcm")
    assert reason in str(caught.value)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"\x89PNG\r\n\x1a\n" + bytes(200), "is not a DICOM file"),
        (radiograph(SOPClassUID="1.2.840.10008.5.1.4.1.1.4"), "no radiograph"),
        (with_texts(radiograph(), PatientID="7" * 65), "PatientID that is not valid"),
    ],
)
def test_file_without_a_study_for_its_results_is_refused(data, reason):
    with pytest.raises(RadiographError, match=reason) as caught:
        read_source(data, "a.dcm")
    assert "7777" not in str(caught.value)
    assert "\n" not in str(caught.value)
