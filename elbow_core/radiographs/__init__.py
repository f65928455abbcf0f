"""A file becomes an upright grey uint8 array, is preprocessed, and is augmented."""

from typing import TYPE_CHECKING

import lazy_loader

if TYPE_CHECKING:
    from elbow_core.radiographs.augmentation import Augmentation
    from elbow_core.radiographs.decoding import decode_radiograph, read_radiograph
    from elbow_core.radiographs.preprocessing import Preprocessing, preprocess

__all__ = ["Augmentation", "Preprocessing", "decode_radiograph", "preprocess", "read_radiograph"]

__getattr__, __dir__, _ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "decoding": ["decode_radiograph", "read_radiograph"],
        "preprocessing": ["Preprocessing", "preprocess"],
        "augmentation": ["Augmentation"],
    },
)
