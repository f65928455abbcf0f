"""DICOM files as grey images, and their tags.

`decode_dicom` gives the image, `read_dicom_header` type and size alone, `read_tags` what the file
says about patient, study and exposure (`parse_tags` for bytes). `parsing` takes the attributes of
the image out of a file, `values` reads single numbers strictly, `pixels` decodes the words and
holds them against the header (`jpeg_2000` checks that of such a stream), `padding` finds the pixels
that are none of the image, `levels` is the grey level pipeline of PS3.3 C.11, and `decoding` joins
them. `tags` reads the head of a file alone, `texts` decodes texts, and `views` knows the
projections.
"""

from elbow_core.radiographs.dicom.decoding import decode_dicom, read_dicom_header
from elbow_core.radiographs.dicom.tags import (
    DicomTags,
    parse_tags,
    read_tags,
    read_tags_if_dicom,
)

__all__ = [
    "DicomTags",
    "decode_dicom",
    "parse_tags",
    "read_dicom_header",
    "read_tags",
    "read_tags_if_dicom",
]
