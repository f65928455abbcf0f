"""A folder of DICOM files whose tags and names identify patients, and a search for both."""

from collections.abc import Iterable
from pathlib import Path

from tests.support.dicom_folders import CLASSES, write_dicom

FILES = 150
PLANTED = ("zorblatt", "quimby", "mrn77", "tannhaus", "1.2.840.77777", "accn55")
"""Parts of every identifying value, in lower case; nothing else contains them."""


def write_planted(root: Path, files: int = FILES) -> None:
    """Write files, five for two patients; most under the UID of the image, some under the name.

    The names of folders are those of patients. Some files are left out by a rule, damaged, without
    PatientID, or byte-identical to one of the other class.
    """
    for number in range(files):
        patient = number * 2 // 5
        name = f"Zorblatt{patient}^Quimby{patient}"
        image = f"1.2.840.77777.2.{number}"
        fields = {
            "PatientName": name,
            "PatientID": "" if number % 50 == 7 else f"MRN77{patient}",
            "IssuerOfPatientID": "Tannhaus",
            "StudyInstanceUID": f"1.2.840.77777.1.{patient}",
            "SOPInstanceUID": image,
            "SeriesInstanceUID": f"1.2.840.77777.3.{number}",
            "AccessionNumber": f"ACCN55{patient}",
            "PresentationIntentType": "FOR PROCESSING" if number % 50 == 8 else "FOR PRESENTATION",
            "Modality": "MR" if number % 50 == 9 else "DX",
            "BurnedInAnnotation": "YES" if number % 50 == 10 else "NO",
            "ViewPosition": ("AP", "LL")[number % 2],
        }
        folder = root / CLASSES[patient % 2] / name.replace("^", "_")
        file = write_dicom(folder / (f"{name}.dcm" if number % 9 == 0 else image), number, **fields)
        if number % 50 == 11:
            content = file.read_bytes()
            file.write_bytes(content[: len(content) // (2 + number % 3)])
    first = next((root / "normal").rglob("*.dcm"))
    (root / "injury/Zorblatt_copy.dcm").write_bytes(first.read_bytes())
    (root / "normal/Quimby.txt").write_text("a letter about Zorblatt")
    (root / "normal/.Zorblatt").mkdir()


def planted_in(places: Iterable[Path], *texts: str) -> list[tuple[str, str]]:
    """Return (place, part) for each planted part in a name or the bytes of a file, or in a text.

    Upper and lower case, UTF-8 and UTF-16 count as one. A name in another order contains the same
    parts.
    """
    contents = [("text", text.encode("utf-8", "surrogateescape")) for text in texts]
    for top in places:
        for file in [top, *sorted(top.rglob("*"))]:
            contents.append((str(file), file.relative_to(top.parent).as_posix().encode()))
            if file.is_file():
                contents.append((str(file), file.read_bytes()))
    return [
        (place, part)
        for place, content in contents
        for lower in (content.lower(),)
        for part in PLANTED
        for code in ("utf-8", "utf-16-le", "utf-16-be")
        if part.encode(code) in lower
    ]
