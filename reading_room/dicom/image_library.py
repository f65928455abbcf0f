"""The entry of a radiograph in the image library of a report, as far as its header goes.

`highdicom.sr.ImageLibrary` needs an orientation and a pixel spacing of every projection radiograph,
which many headers lack.
"""

from collections.abc import Iterator

from highdicom import sr
from pydicom.sr.codedict import codes

from reading_room.dicom.source import Source

_PIXELS = sr.CodedConcept("{pixels}", "UCUM", "Pixels")
_SOURCE = sr.CodedConcept("260753009", "SCT", "Source")
_MODALITIES = {
    "CR": codes.DCM.ComputedRadiography,
    "DX": codes.DCM.DigitalRadiography,
    "OT": codes.DCM.OtherModality,
}
_CONTAINS = sr.RelationshipTypeValues.CONTAINS
_CONTEXT = sr.RelationshipTypeValues.HAS_ACQ_CONTEXT


def image_library(source: Source) -> sr.ContainerContentItem:
    """Return the library of one image; it has a frame of reference only where the image has one.

    Reference: DICOM PS3.16, TID 1600, TID 1602, TID 1603.
    """
    header = source.header
    image = sr.ImageContentItem(
        _SOURCE, header.SOPClassUID, header.SOPInstanceUID, relationship_type=_CONTAINS
    )
    image.ContentSequence = sr.ContentSequence([*_descriptors(source)])
    group = sr.ContainerContentItem(codes.DCM.ImageLibraryGroup, relationship_type=_CONTAINS)
    group.ContentSequence = sr.ContentSequence([image])
    library = sr.ContainerContentItem(codes.DCM.ImageLibrary, relationship_type=_CONTAINS)
    library.ContentSequence = sr.ContentSequence([group])
    return library


def _descriptors(source: Source) -> Iterator[sr.ContentItem]:
    header = source.header
    modality = _MODALITIES[header.Modality]
    yield sr.CodeContentItem(codes.DCM.Modality, modality, relationship_type=_CONTEXT)
    if "FrameOfReferenceUID" in header:
        yield sr.UIDRefContentItem(
            codes.DCM.FrameOfReferenceUID, header.FrameOfReferenceUID, relationship_type=_CONTEXT
        )
    for name, value in (
        (codes.DCM.PixelDataRows, header.Rows),
        (codes.DCM.PixelDataColumns, header.Columns),
    ):
        yield sr.NumContentItem(name, int(value), _PIXELS, relationship_type=_CONTEXT)
    if "PatientOrientation" in header:
        names = (codes.DCM.PatientOrientationRow, codes.DCM.PatientOrientationColumn)
        for name, value in zip(names, header.PatientOrientation, strict=True):
            yield sr.TextContentItem(name, str(value), relationship_type=_CONTEXT)
