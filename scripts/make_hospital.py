"""Write what a hospital hands over: DICOM files named by their UIDs, and a spreadsheet of findings.

    python -m scripts.make_hospital data/hospital
    python -m scripts.make_hospital data/hospital --patients 200 --seed 7

For the tutorial of docs/hospital.md; needs openpyxl (pip install -e '.[spreadsheets]'). The
radiographs are synthetic elbows, rendered by the project; names, ages, scanners and dates in their
tags are drawn at random. Some files are what an archive holds too: raw data (FOR PROCESSING) and
secondary captures. labels.xlsx has a row for each image, with a spreadsheet's habits: a title above
the header, decimal commas, blanks, an unclear finding. It lists the raw data and captures too,
which `prepare` leaves out by their tags.
"""

import argparse
import datetime
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from openpyxl import Workbook
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

from elbow_core.cli import run
from elbow_core.config import load_config
from elbow_core.dataset import ManifestRow
from elbow_core.errors import UserError
from elbow_core.prepare import DataConfig
from elbow_core.sources import scan
from elbow_core.tables import parse_whole_number

ROOT = Path(__file__).resolve().parents[1]
SHEET = "Findings"
HEADER = ("SOP Instance UID", "Finding", "Dose (dGy cm2)")
TITLE = "Elbow radiographs 2021-2024, findings by the department"

_SCANNERS = (("Alpha Imaging", "AX 100"), ("Alpha Imaging", "AX 200"), ("Beta Röntgen", "DR-7"))
_DIGITAL = "1.2.840.10008.5.1.4.1.1.1.1"  # Digital X-Ray Image Storage, for presentation
_RAW = "1.2.840.10008.5.1.4.1.1.1.1.1"  # the same, for processing
_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
_VIEWS = {"ap": "AP", "lateral": "LL"}


def make_hospital(out: Path, patients: int, seed: int) -> tuple[int, int]:
    """Write the folder; return the numbers of radiographs and of other files.

    Raises `UserError` if ``out`` exists and is not an empty folder.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UserError(f"{out}: exists; name a folder that is new or empty")
    drawn = ["--source.patients", str(patients), "--source.seed", str(seed)]
    source = load_config(DataConfig, ROOT / "configs/demo/elbow_data.yaml", drawn).source
    chance = np.random.default_rng(seed)
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        found = scan(Path(folder), source, workers=2)
        people = {row.patient_id: _person(number, chance) for number, row in _first(found.rows)}
        for number, row in enumerate(found.rows):
            image = cv2.imread(str(Path(folder, row.path)), cv2.IMREAD_GRAYSCALE)
            if image is None:
                raise UserError(f"{row.path}: the rendered radiograph cannot be read")
            tags = people[row.patient_id] | _exposure(row, seed)
            uid = _write(out, image, tags, f"{seed} {number}")
            rows.append((uid, row, number))
            if number % 40 == 0:
                raw = {"SOPClassUID": _RAW, "PresentationIntentType": "FOR PROCESSING"}
                uid = _write(out, 255 - image, tags | raw, f"{seed} {number} raw")
                rows.append((uid, row, number))
            if number % 55 == 0:
                capture = {"SOPClassUID": _CAPTURE, "Modality": "OT"}
                uid = _write(out, image[::2, ::2], tags | capture, f"{seed} {number} capture")
                rows.append((uid, row, number))
    _write_table(out / "labels.xlsx", rows)
    return len(found.rows), len(rows) - len(found.rows)


def _first(rows: Sequence[ManifestRow]) -> list[tuple[int, ManifestRow]]:
    """Return a row of each patient with the patient's number."""
    firsts = {row.patient_id: row for row in rows}
    return list(enumerate(firsts.values()))


def _person(number: int, chance: np.random.Generator) -> dict[str, Any]:
    maker, model = _SCANNERS[chance.integers(len(_SCANNERS))]
    day = datetime.date(2021, 1, 1) + datetime.timedelta(days=int(chance.integers(4 * 365)))
    return {
        "PatientName": f"Example^Patient {number}",
        "PatientID": f"{number + 1:06d}",
        "IssuerOfPatientID": "EXAMPLE",
        "PatientSex": str(chance.choice(["F", "M"])),
        "PatientAge": f"{chance.integers(4, 90):03d}Y",
        "Manufacturer": maker,
        "ManufacturerModelName": model,
        "StudyDate": day.strftime("%Y%m%d"),
    }


def _exposure(row: ManifestRow, seed: int) -> dict[str, Any]:
    return {
        "SOPClassUID": _DIGITAL,
        "Modality": "DX",
        "PresentationIntentType": "FOR PRESENTATION",
        "ImageType": ["DERIVED", "PRIMARY"],
        "BodyPartExamined": "ELBOW",
        "ViewPosition": _VIEWS.get(row.view, ""),
        "StudyInstanceUID": generate_uid(entropy_srcs=[f"study {seed} {row.study_id}"]),
    }


def _write(out: Path, image: np.ndarray, tags: dict[str, Any], name: str) -> str:
    """Write one DICOM file of 12 bits; return its UID, after which it is named."""
    dataset = Dataset()
    for keyword, value in tags.items():
        setattr(dataset, keyword, value)
    uid = generate_uid(entropy_srcs=[f"instance {name}"])
    dataset.SpecificCharacterSet = "ISO_IR 192"
    dataset.SOPInstanceUID = uid
    dataset.SeriesInstanceUID = generate_uid(entropy_srcs=[f"series {name}"])
    dataset.Rows, dataset.Columns = image.shape
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 16, 12, 11
    dataset.PixelRepresentation = 0
    dataset.PixelData = (image.astype(np.uint16) * 16).tobytes()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.file_meta.MediaStorageSOPClassUID = tags["SOPClassUID"]
    dataset.file_meta.MediaStorageSOPInstanceUID = uid
    folder = out / "dicom" / tags["StudyDate"][:4]
    folder.mkdir(parents=True, exist_ok=True)
    dataset.save_as(folder / f"{uid}.dcm", enforce_file_format=True)
    return uid


def _write_table(path: Path, rows: Sequence[tuple[str, ManifestRow, int]]) -> None:
    book = Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.title = SHEET
    sheet.append([TITLE])
    sheet.append([])
    sheet.append(HEADER)
    for uid, row, number in rows:
        finding = "unclear" if number % 97 == 96 else row.finding.replace("_", " ")
        blank = " " if number % 7 == 0 else ""
        dose = f"{0.2 + number % 30 / 10:.1f}".replace(".", ",")
        sheet.append([uid, f"{finding.capitalize()}{blank}", dose])
    book.save(path)


def main(arguments: Sequence[str]) -> int:
    """Write the folder and say what is in it."""
    parser = argparse.ArgumentParser(
        prog="python -m scripts.make_hospital",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("out", type=Path, metavar="DIR")
    parser.add_argument("--patients", default="150")
    parser.add_argument("--seed", default="90210")
    options = parser.parse_args(arguments)
    try:
        patients, seed = (parse_whole_number(text) for text in (options.patients, options.seed))
    except ValueError as error:
        parser.error(str(error))
    if patients < 20:
        parser.error(f"--patients: {patients} is below 20, too few to train on")
    radiographs, others = make_hospital(options.out, patients, seed)
    print(f"{options.out}: {radiographs} radiographs, {others} other files, labels.xlsx")
    return 0


if __name__ == "__main__":
    run(main)
