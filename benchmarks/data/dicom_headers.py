"""A tree of DICOM files to scan: whole headers, and pixels that take no room on the disk."""

import io
import struct
from pathlib import Path

from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.uid import DigitalXRayImageStorageForPresentation, ExplicitVRLittleEndian

ROWS, COLUMNS = 2500, 2048  # 10 MB of 16 bits
_PRIVATE_BYTES = 6000  # vendors write some kilobytes of their own
_ID_DIGITS = 8


def write_headers(root: Path, count: int) -> None:
    """Write ``count`` files of three images a patient, half of each class.

    Each header has some 60 elements, private ones among them, and ids of its own. The pixels are
    a hole of the file: their length is that of a radiograph, they read as zeros, and a scan that
    read them would be seen in its time.
    """
    head = _head()
    patient, instance = b"P" + b"0" * _ID_DIGITS, b"7" * _ID_DIGITS
    study = b"8" * _ID_DIGITS
    for number in range(count):
        ids = (f"{value:0{_ID_DIGITS}d}".encode() for value in (number // 3, number, number // 3))
        content = head
        for planted, one in zip((patient[1:], instance, study), ids, strict=True):
            content = content.replace(planted, one)
        folder = root / ("normal", "injury")[number // 3 % 2] / f"{number // 1000:03d}"
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / f"1.2.840.99999.1.{number}.dcm").open("wb") as file:
            file.write(content)
            file.truncate(len(content) + 2 * ROWS * COLUMNS)


def _head() -> bytes:
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.SOPClassUID = DigitalXRayImageStorageForPresentation
    dataset.SOPInstanceUID = f"1.2.840.99999.1.{'7' * _ID_DIGITS}"
    dataset.StudyInstanceUID = f"1.2.840.99999.2.{'8' * _ID_DIGITS}"
    dataset.SeriesInstanceUID = f"1.2.840.99999.3.{'7' * _ID_DIGITS}"
    dataset.PatientID = "P" + "0" * _ID_DIGITS
    for name, value in {
        "SpecificCharacterSet": "ISO_IR 100",
        "ImageType": ["ORIGINAL", "PRIMARY"],
        "StudyDate": "20210203",
        "SeriesDate": "20210203",
        "AcquisitionDate": "20210203",
        "StudyTime": "101112",
        "AccessionNumber": "A1",
        "Modality": "DX",
        "PresentationIntentType": "FOR PRESENTATION",
        "Manufacturer": "Benchmark",
        "InstitutionName": "Hospital",
        "ReferringPhysicianName": "Nobody",
        "StudyDescription": "Elbow, two views",
        "SeriesDescription": "Elbow AP",
        "ManufacturerModelName": "Model 1",
        "PatientName": "Nobody^Named",
        "IssuerOfPatientID": "Hospital",
        "PatientBirthDate": "19870203",
        "PatientSex": "F",
        "PatientAge": "034Y",
        "BodyPartExamined": "ELBOW",
        "KVP": "55",
        "DistanceSourceToDetector": "1100",
        "ExposureTime": "20",
        "Exposure": "4",
        "ImagerPixelSpacing": [0.1, 0.1],
        "DetectorType": "SCINTILLATOR",
        "ViewPosition": "AP",
        "StudyID": "1",
        "SeriesNumber": "1",
        "InstanceNumber": "1",
        "ImageLaterality": "L",
        "SamplesPerPixel": 1,
        "PhotometricInterpretation": "MONOCHROME2",
        "Rows": ROWS,
        "Columns": COLUMNS,
        "BitsAllocated": 16,
        "BitsStored": 12,
        "HighBit": 11,
        "PixelRepresentation": 0,
        "BurnedInAnnotation": "NO",
        "WindowCenter": "2048",
        "WindowWidth": "4096",
        "RescaleIntercept": "0",
        "RescaleSlope": "1",
    }.items():
        setattr(dataset, name, value)
    block = dataset.private_block(0x0019, "BENCHMARK", create=True)
    for number in range(12):
        block.add_new(number, "OB", b"\1" * (_PRIVATE_BYTES // 12))
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator = "R-10206", "SRT"
    item.CodeMeaning = "antero-posterior"
    dataset.ViewCodeSequence = [item]
    buffer = io.BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    pixel_data = struct.pack("<HH2sHI", 0x7FE0, 0x0010, b"OW", 0, 2 * ROWS * COLUMNS)
    return buffer.getvalue() + pixel_data
