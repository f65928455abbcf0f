"""Radiographs as arrays: decoding, preprocessing, augmentation.

`read_radiograph` turns a PNG, JPEG or DICOM file into an upright grey uint8 array or raises
`RadiographError`; `preprocess` gives the square image that the networks see. `read_tags` reads what
a DICOM file says about patient, study and exposure.
"""

from typing import TYPE_CHECKING

import lazy_loader

if TYPE_CHECKING:
    from elbow_core.radiographs.augmentation import (
        NO_AUGMENTATION,
        Augmentation,
        apply_affine,
        sample_affine,
    )
    from elbow_core.radiographs.decoding import (
        check_radiograph,
        decode_radiograph,
        read_bytes,
        read_radiograph,
    )
    from elbow_core.radiographs.dicom import (
        DicomTags,
        parse_tags,
        read_tags,
        read_tags_if_dicom,
    )
    from elbow_core.radiographs.image_files import (
        IMAGE_SUFFIXES,
        counts_as_image,
        list_image_files,
    )
    from elbow_core.radiographs.limits import memory_trouble
    from elbow_core.radiographs.passed_over import (
        count_unread,
        describe_passed_over,
        find_passed_over,
    )
    from elbow_core.radiographs.preprocessing import Preprocessing, blur, preprocess, resize

__all__ = [
    "IMAGE_SUFFIXES",
    "NO_AUGMENTATION",
    "Augmentation",
    "DicomTags",
    "Preprocessing",
    "apply_affine",
    "blur",
    "check_radiograph",
    "count_unread",
    "counts_as_image",
    "decode_radiograph",
    "describe_passed_over",
    "find_passed_over",
    "list_image_files",
    "memory_trouble",
    "parse_tags",
    "preprocess",
    "read_bytes",
    "read_radiograph",
    "read_tags",
    "read_tags_if_dicom",
    "resize",
    "sample_affine",
]

__getattr__, __dir__, _ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "augmentation": ["NO_AUGMENTATION", "Augmentation", "apply_affine", "sample_affine"],
        "decoding": ["check_radiograph", "decode_radiograph", "read_bytes", "read_radiograph"],
        "dicom": ["DicomTags", "parse_tags", "read_tags", "read_tags_if_dicom"],
        "image_files": ["IMAGE_SUFFIXES", "counts_as_image", "list_image_files"],
        "limits": ["memory_trouble"],
        "passed_over": ["count_unread", "describe_passed_over", "find_passed_over"],
        "preprocessing": ["Preprocessing", "blur", "preprocess", "resize"],
    },
)
