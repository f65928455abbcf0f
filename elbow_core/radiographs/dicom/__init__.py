"""DICOM files as grey images: `decode_dicom`, and `read_dicom_header` for type and size alone.

`parsing` takes the attributes out of a file, `values` reads single ones strictly, `pixels` decodes
the words and holds them against the header (`jpeg_2000` checks that of such a stream), `padding`
finds the pixels that are none of the image, `levels` is the grey level pipeline of PS3.3 C.11, and
`decoding` joins them.
"""

from elbow_core.radiographs.dicom.decoding import decode_dicom, read_dicom_header

__all__ = ["decode_dicom", "read_dicom_header"]
