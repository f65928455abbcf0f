"""What a DICOM file says about patient, study and exposure, however it is written."""

import struct
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydicom import Dataset
from pydicom.sr.codedict import codes
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEGLosslessSV1,
)

from elbow_core.errors import MachineError, RadiographError
from elbow_core.radiographs import DicomTags, read_tags
from elbow_core.radiographs.dicom.views import find_view
from tests.support.dicom_files import RAMP, dicom

FIELDS: dict[str, Any] = {
    "PatientID": "P-17",
    "IssuerOfPatientID": "Hospital A",
    "StudyInstanceUID": "1.2.3.4",
    "SOPInstanceUID": "1.2.3.4.5",
    "SOPClassUID": "1.2.840.10008.5.1.4.1.1.1.1",
    "AccessionNumber": "A 99",
    "Modality": "DX",
    "ViewPosition": "LL",
    "BodyPartExamined": "ELBOW",
    "Laterality": "L",
    "PatientAge": "034Y",
    "PatientSex": "F",
    "Manufacturer": "Acme",
    "ManufacturerModelName": "Ray 3",
    "StudyDate": "20210203",
    "PresentationIntentType": "FOR PRESENTATION",
    "ImageType": ["ORIGINAL", "PRIMARY"],
    "BurnedInAnnotation": "NO",
}
FRONTAL = {"antero-posterior", "postero-anterior", "frontal", "dorsoplantar", "plantodorsal"}
SOUND = dicom(**FIELDS)

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:pydicom")


def write(folder: Path, **fields: Any) -> Path:
    file = folder / "a.dcm"
    file.write_bytes(dicom(**(FIELDS | fields)))
    return file


def damaged(folder: Path, data: bytes) -> str:
    """Return why the tags of a file of these bytes are refused, and check that it is one line."""
    file = folder / "a.dcm"
    file.write_bytes(data)
    with pytest.raises(RadiographError) as caught:
        read_tags(file)
    message = str(caught.value)
    assert message.startswith(f"{file}: ")
    assert "\n" not in message
    return message.removeprefix(f"{file}: ")


@pytest.mark.parametrize(
    "syntax",
    [
        ExplicitVRLittleEndian,
        ImplicitVRLittleEndian,
        ExplicitVRBigEndian,
        DeflatedExplicitVRLittleEndian,
        JPEGLosslessSV1,
    ],
)
def test_tags_are_read_in_every_transfer_syntax(syntax: UID, tmp_path: Path) -> None:
    tags = read_tags(write(tmp_path, syntax=syntax))
    assert tags == DicomTags(
        patient_id="P-17",
        issuer="Hospital A",
        study_uid="1.2.3.4",
        instance_uid="1.2.3.4.5",
        accession_number="A 99",
        class_uid="1.2.840.10008.5.1.4.1.1.1.1",
        modality="DX",
        view="lateral",
        view_position="LL",
        body_part="ELBOW",
        laterality="L",
        age="34",
        sex="F",
        manufacturer="Acme",
        model="Ray 3",
        year="2021",
        presentation="FOR PRESENTATION",
        image_type=("ORIGINAL", "PRIMARY"),
        burned_in="NO",
        frames="",
        transfer_syntax=syntax,
    )


def test_values_are_cleaned(tmp_path: Path) -> None:
    file = write(
        tmp_path,
        PatientID="  p-17\0\0 ",
        Modality="cr",
        ViewPosition=" lat ",
        BodyPartExamined="Elbow \0",
        PatientSex="f",
        StudyDate="2021.02.03",
        NumberOfFrames="2",
        ImageLaterality="R",
    )
    tags = read_tags(file)
    assert (tags.patient_id, tags.modality, tags.view) == ("p-17", "CR", "lateral")
    assert (tags.body_part, tags.sex, tags.year) == ("ELBOW", "F", "2021")
    assert (tags.frames, tags.laterality) == ("2", "R")


def test_first_of_several_values_counts(tmp_path: Path) -> None:
    assert read_tags(write(tmp_path, PatientID=["", "P1", "P2"])).patient_id == "P1"


@pytest.mark.parametrize(
    ("charset", "patient"),
    [
        ("ISO_IR 100", "Müller-1"),
        ("ISO_IR 192", "患者-7"),
        ("ISO_IR 144", "Люкceмбypг"),
        (["", "ISO 2022 IR 87"], "山田-3"),
        ("GB18030", "王-5"),
    ],
)
def test_character_set_is_honoured(charset: object, patient: str, tmp_path: Path) -> None:
    file = write(tmp_path, SpecificCharacterSet=charset, PatientID=patient)
    assert read_tags(file).patient_id == patient


def test_bytes_that_the_character_set_cannot_decode_stay_different(tmp_path: Path) -> None:
    found = set()
    for byte in (0xE4, 0xF6):
        data = dicom(SpecificCharacterSet="ISO_IR 192", PatientID="@-17")
        (tmp_path / "a.dcm").write_bytes(data.replace(b"@-17", bytes([byte]) + b"-17"))
        found.add(read_tags(tmp_path / "a.dcm").patient_id)
    assert found == {"ä-17", "ö-17"}


@pytest.mark.parametrize(
    ("age", "years"),
    [
        *(("034Y", "34"), ("006M", "0"), ("012W", "0"), ("010D", "0"), ("018M", "1")),
        *(("012M", "1"), ("060W", "1"), ("34", ""), ("34Y", "34"), ("999Y", ""), ("Y", "")),
        *(("-01Y", ""), ("034y", "34"), ("", ""), ("abcY", "")),
    ],
)
def test_age_in_completed_years(age: str, years: str, tmp_path: Path) -> None:
    file = tmp_path / "a.dcm"
    file.write_bytes(dicom(PatientAge="#" * 4).replace(b"####", age.encode().ljust(4)))
    assert read_tags(file).age == years


def test_absent_tags_are_empty(tmp_path: Path) -> None:
    (tmp_path / "a.dcm").write_bytes(dicom(PatientID=None, AccessionNumber=None))
    tags = read_tags(tmp_path / "a.dcm")
    assert tags.patient_id == tags.issuer == tags.study_uid == tags.view == tags.age == ""


@pytest.mark.parametrize(
    ("position", "view"),
    [
        *(("AP", "ap"), ("PA", "ap"), ("LL", "lateral"), ("RL", "lateral"), ("LAT", "lateral")),
        *(("OBL", "oblique"), ("AP OBL", "oblique"), ("RLO", "oblique"), ("LLD", ""), ("RLD", "")),
        *(("", ""), ("SKYLINE", ""), ("AP/LAT", ""), ("A.P.", ""), ("antero-posterior", "")),
    ],
)
def test_view_of_position(position: str, view: str) -> None:
    assert find_view(position, []) == view


def test_every_oblique_frontal_and_lateral_code_of_the_standard_is_known() -> None:
    """The oracle is pydicom's copy of CID 4010; the names of its concepts say the direction."""
    from pydicom.sr._snomed_dict import mapping

    concepts = codes.cid4010
    for name in concepts.dir():
        code, meaning = getattr(concepts, name), getattr(concepts, name).meaning
        view = ""
        if "oblique" in meaning:
            view = "oblique"
        elif meaning in FRONTAL:
            view = "ap"
        elif "lateral" in meaning or meaning == "Sagittal":
            view = "lateral"
        assert find_view("", [(code.value, "SCT")]) == view, meaning
        assert find_view("", [(mapping["SCT"][code.value], "SRT")]) == view, meaning


@pytest.mark.parametrize("undefined", [False, True])
def test_view_code_sequence_is_read(undefined: bool, tmp_path: Path) -> None:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator = "R-102CD", "SRT"
    item.is_undefined_length_sequence_item = undefined
    assert read_tags(write(tmp_path, ViewPosition="", ViewCodeSequence=[item])).view == "lateral"
    assert read_tags(write(tmp_path, ViewPosition="AP", ViewCodeSequence=[item])).view == ""


def test_pixels_are_not_read(tmp_path: Path) -> None:
    """A sparse file of half a gigabyte of pixels: its head is read, and nothing is refused."""
    data = dicom(**FIELDS)
    head = data[: data.index(RAMP.tobytes())]
    file = tmp_path / "a.dcm"
    with file.open("wb") as opened:
        opened.write(head[:-4] + struct.pack("<I", 2**29))
        opened.truncate(len(head) + 2**29)
    assert read_tags(file).patient_id == "P-17"


def test_damage_is_named_without_values(tmp_path: Path) -> None:
    sound = dicom(**FIELDS)
    at = sound.index(b"P-17")
    assert "PatientID (0010,0020)" in damaged(tmp_path, sound[: at + 2])
    fields: dict[str, Any] = FIELDS | {"PatientID": "S" * 20_000}
    long = dicom(**fields)
    assert damaged(tmp_path, long) == "is a DICOM file whose PatientID (0010,0020) has 20000 bytes"
    assert damaged(tmp_path, b"GIF89a") == "is not a DICOM file"
    assert damaged(tmp_path, b"") == "is not a DICOM file"


def test_header_of_endless_parts_is_refused(tmp_path: Path) -> None:
    sound = dicom(**FIELDS)
    at = sound.index(b"\x08\x00\x08\x00CS")  # ImageType, the first element
    private = struct.pack("<HH2sH", 8, 2, b"SH", 0) * 60_000
    reason = damaged(tmp_path, sound[:at] + private + sound[at:])
    assert reason == "is a DICOM file of too many elements or items, or too large ones"


def test_message_and_representation_quote_no_identifying_value(tmp_path: Path) -> None:
    shown = repr(read_tags(write(tmp_path)))
    assert not [value for value in ("P-17", "Hospital", "1.2.3.4", "A 99") if value in shown]


def test_folder_and_missing_file(tmp_path: Path) -> None:
    with pytest.raises(RadiographError, match="is not a file"):
        read_tags(tmp_path)
    with pytest.raises(MachineError, match="cannot be read"):
        read_tags(tmp_path / "none.dcm")


@given(position=st.integers(132, len(SOUND) - 1), byte=st.integers(0, 255))
@example(position=len(SOUND) - 1, byte=0)
def test_altered_files_are_read_or_refused(
    position: int, byte: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    file = tmp_path_factory.getbasetemp() / "altered.dcm"
    for data in (SOUND[:position], SOUND[:position] + bytes([byte]) + SOUND[position + 1 :]):
        file.write_bytes(data)
        try:
            read_tags(file)
        except RadiographError as error:
            quoted = [name for name in ("P-17", "1.2.3.4", "A 99") if name in str(error)]
            assert not quoted
