"""What the tags of DICOM files decide in `prepare`: who is who, view, attributes, and selection.

`DicomSettings` is the part `dicom` of the configuration. `read_facts` reads the tags of all files,
`selection` decides which are left out, `apply_facts` joins the tags with what the source says, and
`write_disagreements` lists where the two contradict each other.
"""

from elbow_core.prepare.dicom_files.disagreements import (
    DISAGREEMENTS,
    Disagreement,
    describe_disagreements,
    write_disagreements,
)
from elbow_core.prepare.dicom_files.joining import Joined, apply_facts
from elbow_core.prepare.dicom_files.reading import FileFacts, read_facts
from elbow_core.prepare.dicom_files.settings import DicomSelection, DicomSettings

__all__ = [
    "DISAGREEMENTS",
    "DicomSelection",
    "DicomSettings",
    "Disagreement",
    "FileFacts",
    "Joined",
    "apply_facts",
    "describe_disagreements",
    "read_facts",
    "write_disagreements",
]
