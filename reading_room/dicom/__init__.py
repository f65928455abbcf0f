"""What a model found in a radiograph as DICOM objects of the patient's own study.

`read_source` takes from a radiograph what its results refer to, `object_uids` names them before
they exist, and `make_objects` makes the three: a Comprehensive SR (TID 1500), a secondary capture
of the heat map, and a grayscale softcopy presentation state. ``python -m reading_room.dicom``
writes them for files. Nothing here imports JAX, but for the command.
"""

from typing import TYPE_CHECKING

import lazy_loader

if TYPE_CHECKING:
    from reading_room.dicom.objects import Objects, make_objects
    from reading_room.dicom.source import RADIOGRAPHS, Source, read_source
    from reading_room.dicom.uids import ObjectUids, folder_name, object_uids, series_uids
    from reading_room.dicom.wording import MANUFACTURER, NOT_A_DEVICE

__all__ = [
    "MANUFACTURER",
    "NOT_A_DEVICE",
    "RADIOGRAPHS",
    "ObjectUids",
    "Objects",
    "Source",
    "folder_name",
    "make_objects",
    "object_uids",
    "read_source",
    "series_uids",
]

__getattr__, __dir__, _ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "objects": ["Objects", "make_objects"],
        "source": ["RADIOGRAPHS", "Source", "read_source"],
        "uids": ["ObjectUids", "folder_name", "object_uids", "series_uids"],
        "wording": ["MANUFACTURER", "NOT_A_DEVICE"],
    },
)
