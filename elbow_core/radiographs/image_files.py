"""Decide by name and first bytes which files of a folder count as images."""

from pathlib import Path

from elbow_core.radiographs.file_types import is_dicom

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".dcm")
"""In lower case; case is ignored."""


def counts_as_image(file: Path) -> bool:
    """Say whether a file has an image's suffix, or has no suffix and starts as DICOM does.

    The rest of its content is checked only when it is read. Scanners write DICOM without a suffix.
    """
    if file.suffix:
        return file.suffix.lower() in IMAGE_SUFFIXES
    try:
        with file.open("rb") as opened:
            return is_dicom(opened.read(132))
    except OSError:
        return False


def list_image_files(folder: Path) -> list[Path]:
    """Return the files at any depth below a folder that count as images, sorted by path.

    Hidden files are left out. Links to folders are not followed.
    """
    return sorted(
        file
        for file in folder.rglob("*")
        if not file.name.startswith(".") and file.is_file() and counts_as_image(file)
    )
