"""The tags of a DICOM file that say whose it is and what it shows, read without its pixels."""

import io
import os
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from pydicom import Dataset
from pydicom.datadict import tag_for_keyword
from pydicom.filereader import read_dataset
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ImplicitVRLittleEndian,
)

from elbow_core.errors import MachineError, RadiographError
from elbow_core.files import NotRegularError, open_regular
from elbow_core.radiographs.dicom.parsing import inflate, read_syntax
from elbow_core.radiographs.dicom.texts import (
    read_encodings,
    read_first_text,
    read_texts,
    whole_years,
    year_of,
)
from elbow_core.radiographs.dicom.views import find_view
from elbow_core.radiographs.header import NOT_OF_THE_FILE, HeaderError
from elbow_core.radiographs.limits import MAX_FILE_BYTES

_KEYWORDS = (
    "SpecificCharacterSet",
    "ImageType",
    "SOPClassUID",
    "SOPInstanceUID",
    "StudyDate",
    "AccessionNumber",
    "Modality",
    "PresentationIntentType",
    "Manufacturer",
    "ManufacturerModelName",
    "PatientID",
    "IssuerOfPatientID",
    "PatientSex",
    "PatientAge",
    "BodyPartExamined",
    "ViewPosition",
    "StudyInstanceUID",
    "Laterality",
    "ImageLaterality",
    "NumberOfFrames",
    "BurnedInAnnotation",
    "ViewCodeSequence",
)
_TAGS = [tag_for_keyword(name) or 0 for name in _KEYWORDS]
_LAST = max(_TAGS)
_MAGIC = slice(128, 132), b"DICM"
_BUFFER = 2**14  # the header of most radiographs
_MAX_READS = 50_000
_MAX_BYTES = 2**25  # of values that are read; others are passed over


@dataclass(frozen=True, slots=True)
class DicomTags:
    """What a DICOM file says about itself; a tag that is absent, empty or unusable is empty.

    Texts are decoded by the file's character set and composed (NFC), without control and invisible
    characters and outer blanks; of several values the first that is not empty. Code strings are in
    upper case. The identifying values are left out of `repr`, so that no message quotes them.
    """

    patient_id: str = field(repr=False)
    """PatientID (0010,0020), in the file's own case."""
    issuer: str = field(repr=False)
    """IssuerOfPatientID (0010,0021): two hospitals may give one id to two patients."""
    study_uid: str = field(repr=False)
    """StudyInstanceUID (0020,000D)."""
    instance_uid: str = field(repr=False)
    """SOPInstanceUID (0008,0018)."""
    accession_number: str = field(repr=False)
    """AccessionNumber (0008,0050)."""
    class_uid: str
    """SOPClassUID (0008,0016)."""
    modality: str
    """Modality (0008,0060): CR, DX, RF, OT, ..."""
    view: str
    """ap, lateral, oblique or empty, of View Position and View Code Sequence: see `find_view`."""
    view_position: str
    """ViewPosition (0018,5101) as it stands there."""
    body_part: str
    """BodyPartExamined (0018,0015): ELBOW, FOREARM, ..."""
    laterality: str
    """L, R or B, of ImageLaterality (0020,0062) or else Laterality (0020,0060)."""
    age: str
    """PatientAge (0010,1010) in completed years, as digits."""
    sex: str
    """PatientSex (0010,0040): F, M or O."""
    manufacturer: str
    """Manufacturer (0008,0070)."""
    model: str
    """ManufacturerModelName (0008,1090)."""
    year: str
    """Year of StudyDate (0008,0020); the day is not kept."""
    presentation: str
    """PresentationIntentType (0008,0068): FOR PRESENTATION or FOR PROCESSING."""
    image_type: tuple[str, ...]
    """All values of ImageType (0008,0008), such as ORIGINAL, PRIMARY."""
    burned_in: str
    """BurnedInAnnotation (0028,0301): YES or NO."""
    frames: str
    """NumberOfFrames (0028,0008), as digits; absent from most radiographs."""
    transfer_syntax: str
    """TransferSyntaxUID (0002,0010)."""


def read_tags(path: Path | str) -> DicomTags:
    """Read the tags of a DICOM file; of the file, the part before its pixels alone is read.

    Raises `RadiographError`, one line that names the file and quotes no value, for a file that is
    no DICOM file or whose header is damaged, cut short, of more elements than any radiograph or has
    a tag of more than 16 KiB. Raises `MachineError` where the file cannot be read.

    Reference: DICOM PS3.3 C.7.1.1, C.7.2.1, C.7.3.1, C.7.6.1, C.8.11; PS3.10, section 7.1.
    """
    tags = read_tags_if_dicom(path)
    if tags is None:
        raise RadiographError(f"{path}: is not a DICOM file")
    return tags


def read_tags_if_dicom(path: Path | str) -> DicomTags | None:
    """Return the tags as `read_tags` does, or None for a file that is not DICOM."""
    try:
        descriptor = open_regular(path)
        with os.fdopen(descriptor, "rb", buffering=0) as raw:
            return _parse_if_dicom(raw, os.fstat(descriptor).st_size)
    except NotRegularError as error:
        raise RadiographError(f"{path}: is not a file") from error
    except HeaderError as error:
        raise RadiographError(f"{path}: {error}") from error
    except OSError as error:  # The text of the error itself repeats the path.
        raise MachineError(f"{path}: cannot be read: {error.strerror}") from error
    except NOT_OF_THE_FILE as error:
        raise MachineError(f"{path}: not enough memory to read it") from error
    except ValueError as error:
        raise RadiographError(f"{path}: is not a valid file name") from error


def parse_tags(data: bytes, name: str) -> DicomTags | None:
    """Return the tags in the bytes of a file as `read_tags` does; errors start with ``name``.

    None for bytes that are not DICOM.
    """
    try:
        return _parse_if_dicom(io.BytesIO(data), len(data))
    except HeaderError as error:
        raise RadiographError(f"{name}: {error}") from error
    except NOT_OF_THE_FILE as error:
        raise MachineError(f"{name}: not enough memory to read it") from error


def _parse_if_dicom(raw: io.RawIOBase | io.BytesIO, size: int) -> DicomTags | None:
    file = _Bounded(raw, size)
    where, magic = _MAGIC
    try:
        return _parse_soundly(file, size) if file.peek(132)[where] == magic else None
    finally:
        file.detach()  # The caller closes what it has opened.


def _parse_soundly(file: "_Bounded", size: int) -> DicomTags:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Of values that violate the standard.
            return _parse(file, size)
    except (HeaderError, OSError, *NOT_OF_THE_FILE):
        raise
    except Exception as error:  # Elements may contain anything. The text would quote them.
        raise HeaderError("is a damaged DICOM file: its header cannot be read") from error


def _parse(file: "_Bounded", size: int) -> DicomTags:
    syntax = read_syntax(file)
    if syntax == DeflatedExplicitVRLittleEndian:
        if size > MAX_FILE_BYTES:
            raise HeaderError(f"has {size} bytes, too many for a radiograph")
        data = inflate(io.BufferedReader.read(file, size - file.tell()), 0)
        file, size = _Bounded(io.BytesIO(data), len(data)), len(data)
    dataset = read_dataset(
        file,
        syntax == ImplicitVRLittleEndian,
        syntax != ExplicitVRBigEndian,
        stop_when=lambda tag, *_: tag > _LAST,
        specific_tags=[*_TAGS],
    )
    if file.tell() > size:
        raise HeaderError("is cut short: the end of its DICOM header is missing")
    return _collect(dataset, str(syntax))


def _collect(dataset: Dataset, syntax: str) -> DicomTags:
    encodings = read_encodings(dataset)

    def text(keyword: str) -> str:
        return read_first_text(dataset, keyword, encodings)

    def code(keyword: str) -> str:
        return " ".join(text(keyword).upper().split())

    position = code("ViewPosition")
    return DicomTags(
        patient_id=text("PatientID"),
        issuer=text("IssuerOfPatientID"),
        study_uid=text("StudyInstanceUID"),
        instance_uid=text("SOPInstanceUID"),
        accession_number=text("AccessionNumber"),
        class_uid=text("SOPClassUID"),
        modality=code("Modality"),
        view=find_view(position, _view_codes(dataset)),
        view_position=position,
        body_part=code("BodyPartExamined"),
        laterality=_one_of("LRB", code("ImageLaterality")) or _one_of("LRB", code("Laterality")),
        age=whole_years(text("PatientAge")),
        sex=_one_of("FMO", code("PatientSex")),
        manufacturer=text("Manufacturer"),
        model=text("ManufacturerModelName"),
        year=year_of(text("StudyDate")),
        presentation=code("PresentationIntentType"),
        image_type=tuple(value.upper() for value in read_texts(dataset, "ImageType", encodings)),
        burned_in=code("BurnedInAnnotation"),
        frames=_whole(text("NumberOfFrames")),
        transfer_syntax=syntax,
    )


def _view_codes(dataset: Dataset) -> Iterator[tuple[str, str]]:
    if "ViewCodeSequence" not in dataset:
        return
    for item in dataset["ViewCodeSequence"].value or ():
        yield (
            read_first_text(item, "CodeValue", ["ascii"]),
            read_first_text(item, "CodingSchemeDesignator", ["ascii"]),
        )


def _one_of(letters: str, value: str) -> str:
    return value if len(value) == 1 and value in letters else ""


def _whole(text: str) -> str:
    return str(int(text)) if text.isascii() and text.isdecimal() and len(text) <= 9 else ""


class _Bounded(io.BufferedReader):
    """A file whose parsing ends where it has too many parts, or asks for too many bytes."""

    def __init__(self, file: io.RawIOBase | io.BytesIO, size: int) -> None:
        super().__init__(file, _BUFFER)  # pyright: ignore[reportArgumentType]
        self._size = size
        self._reads = 0
        self._bytes = 0

    def read(self, size: int | None = -1, /) -> bytes:
        # A length that is a lie takes no more memory than the file has bytes.
        left = max(0, self._size - self.tell())
        size = left if size is None or size < 0 else min(size, left)
        self._reads += 1
        self._bytes += size
        if self._reads > _MAX_READS or self._bytes > _MAX_BYTES:
            raise HeaderError("is a DICOM file of too many elements or items, or too large ones")
        return super().read(size)
