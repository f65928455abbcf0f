"""Radiographs with the headers that hospitals send: missing tags, wrong values, character sets."""

import io
import random
import warnings
from typing import Any

import numpy as np
from pydicom import Dataset, dcmread
from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.dataelem import RawDataElement
from pydicom.tag import BaseTag
from pydicom.uid import (
    ComputedRadiographyImageStorage,
    DigitalXRayImageStorageForPresentation,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    SecondaryCaptureImageStorage,
)

from tests.support.dicom_files import dicom, table
from tests.support.dicom_folders import pixels

UIDS = ("SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID")

# Character set, Python's codec of it, names in it.
_NAMES: list[tuple[str, str, list[str]]] = [
    ("", "ascii", ["Doe^Jane", "", "Nobody", "DOE^JANE^^DR^", "a^b^c^d^e^f^g", "x" * 70]),
    ("ISO_IR 100", "latin-1", ["Müller^Jörg", "Ångström^Åsa", "Núñez^José"]),
    ("ISO_IR 192", "utf-8", ["Müller^Jörg", "Łuczak^Zoë", "山田^太郎", "Иванов^Иван", "Ὀδυσσεύς"]),
    ("ISO_IR 144", "iso8859-5", ["Люкceмбypг"]),
    ("ISO_IR 101", "iso8859-2", ["Wałęsa^Lech"]),
    ("\\ISO 2022 IR 87", "iso2022_jp", ["Yamada^Tarou=山田^太郎=やまだ^たろう"]),
    ("GB18030", "gb18030", ["Wang^XiaoDong=王^小东"]),
    ("", "latin-1", ["Müller^Jörg"]),  # a set that is not named
    ("ISO_IR 192", "latin-1", ["Müller^Jörg"]),  # and one that is a lie
    ("NO SUCH SET", "ascii", ["Doe^John"]),
]
_VALUES: dict[str, list[Any]] = {
    "PatientID": ["4711", "", "A-1 ", "ID/7", None],
    "IssuerOfPatientID": [None, "Hospital", ""],
    "PatientBirthDate": ["19700203", "", "1970.02.03", "00000000", "1970", None],
    "PatientSex": ["M", "f", "X", "", "female", None],
    "PatientAge": ["034Y", "34", "", None],
    "StudyDate": ["20260102", "2026.01.02", "", "20261341", None],
    "StudyTime": ["101112", "10:11:12", "", "2512", "101112.123456", None],
    "AccessionNumber": ["ACC1", "", "A" * 20, None],
    "StudyID": ["1", "", "a study with a long id", None],
    "StudyDescription": ["Ellenbogen in 2 Ebenen", "", "d" * 90, None],
    "ReferringPhysicianName": ["ward", "Doe^A", "a^b^c^d^e^f", "", None],
    "BodyPartExamined": ["ELBOW", "elbow", "ELLENBOGEN LINKS IN 2 EBENEN", "", None],
    "Laterality": ["L", "R", "l", "left", "", None],
    "ImageLaterality": [None, "L", "R", "B", "X"],
    "InstanceNumber": ["1", "2", "", "-3", "abc", "99999999999", None],
    "PatientOrientation": [r"L\F", r"A\F", "", r"LEFT\DOWN", None],
    "ViewPosition": ["AP", "", None],
    "FrameOfReferenceUID": [None, "1.2.840.99.5", "", "not a uid"],
    "BurnedInAnnotation": [None, "NO", "YES", "maybe"],
    "PixelAspectRatio": [None, r"1\1", r"2\1", r"0\0"],
    "ImagerPixelSpacing": [None, r"0.15\0.15", r"0.2\0.1", "\\", r"0\0"],
    "PhotometricInterpretation": ["MONOCHROME1", "MONOCHROME2"],
    "Manufacturer": ["Vendor", "", None],
    "PresentationIntentType": ["FOR PRESENTATION", None],
}
_WINDOWS: list[dict[str, Any]] = [
    {},
    {"WindowCenter": "2000", "WindowWidth": "4000"},
    {"WindowCenter": r"2000\1000", "WindowWidth": r"4000\500"},
    {"WindowCenter": "2000", "WindowWidth": "4000", "VOILUTFunction": "SIGMOID"},
    {"RescaleSlope": "1", "RescaleIntercept": "0", "WindowCenter": "2000", "WindowWidth": "4000"},
    {"RescaleSlope": "2.5", "RescaleIntercept": "-10", "RescaleType": "US"},
    {"WindowCenter": "2000,5", "WindowWidth": "4000"},
    {"VOILUTSequence": "table"},
    {"ModalityLUTSequence": "table"},
]
_SYNTAXES = [ExplicitVRLittleEndian, ImplicitVRLittleEndian]
_CLASSES = [
    ComputedRadiographyImageStorage,
    DigitalXRayImageStorageForPresentation,
    SecondaryCaptureImageStorage,
]


def odd_radiograph(number: int) -> bytes:
    """Return a radiograph with an odd header; equal numbers give equal ones."""
    draw = random.Random(number)
    characters, codec, known = _NAMES[number % len(_NAMES)]
    fields = {keyword: draw.choice(values) for keyword, values in _VALUES.items()}
    fields |= draw.choice(_WINDOWS)
    fields |= {keyword: f"1.2.840.99.{place}.{number + 1}" for place, keyword in enumerate(UIDS)}
    fields |= {"SpecificCharacterSet": characters, "SOPClassUID": draw.choice(_CLASSES)}
    plain = dicom(pixels(number), syntax=draw.choice(_SYNTAXES))
    name = draw.choice(known).encode(codec)
    return with_texts(plain, private=number % 3 == 0, PatientName=name, **fields)


def with_texts(data: bytes, *, private: bool = False, **fields: Any) -> bytes:
    """Return a DICOM file with elements whose values are texts or bytes, valid or not.

    None removes an element. ``private`` adds private elements and nested ones.
    """
    if len(fields) > 1 and "SpecificCharacterSet" in fields:
        # First alone: pydicom encodes all texts anew where it changes.
        data = with_texts(data, SpecificCharacterSet=fields.pop("SpecificCharacterSet"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what is odd about it
        dataset = dcmread(io.BytesIO(data))
        for keyword, value in fields.items():
            _set(dataset, keyword, value)
        if private:
            _add_private(dataset)
        file = io.BytesIO()
        dataset.save_as(file, enforce_file_format=True)
    return file.getvalue()


def _set(dataset: Dataset, keyword: str, value: Any) -> None:
    """Set an element to a text as it is, valid or not; remove it for None."""
    if value is None:
        if keyword in dataset:
            delattr(dataset, keyword)
    elif keyword.endswith("LUTSequence"):
        item = table(np.arange(4096, dtype=np.uint16), bits=12)
        if keyword == "ModalityLUTSequence":
            item.ModalityLUTType = "US"
        setattr(dataset, keyword, [item])
    else:
        _set_bytes(dataset, keyword, value if isinstance(value, bytes) else value.encode("ascii"))


def _set_bytes(dataset: Dataset, keyword: str, value: bytes) -> None:
    tag = BaseTag(tag_for_keyword(keyword) or 0)
    value += b" " * (len(value) % 2)
    implicit = dataset.file_meta.TransferSyntaxUID == ImplicitVRLittleEndian
    dataset[tag] = RawDataElement(
        tag, dictionary_VR(keyword), len(value), value, 0, implicit, True, True
    )


def _add_private(dataset: Dataset) -> None:
    block = dataset.private_block(0x0009, "ODD VENDOR", create=True)
    block.add_new(0x01, "LO", "Private^Text")
    block.add_new(0x02, "UN", bytes(range(16)))
    item = Dataset()
    item.PatientName = "Nested^Name"
    block.add_new(0x03, "SQ", [item])
    dataset.RequestAttributesSequence = [Dataset()]
    dataset.add_new(0x00400275, "SQ", [])
