"""UIDs that follow from what an object is made of, so that the same work has the same UIDs."""

import json
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pydicom.uid import UID

FORMAT = 1
"""Of the objects. Raise it when the same finding gives other objects."""
KINDS = ("report", "heat_map", "presentation")

_NAMESPACE = uuid.UUID("8f7a5c5e-6f0f-5d0e-9a86-5b1b7a0c6c53")


def derived_uuid(*parts: str) -> uuid.UUID:
    """Return the UUID of texts, version 5."""
    return uuid.uuid5(_NAMESPACE, json.dumps([FORMAT, *parts]))


def derived_uid(*parts: str) -> UID:
    """Return the UID of texts: 2.25 and a UUID as a decimal number.

    Reference: PS3.5 B.2; RFC 9562, section 5.5.
    """
    return UID(f"2.25.{derived_uuid(*parts).int}")


@dataclass(frozen=True, slots=True)
class ObjectUids:
    """UIDs of the objects of one radiograph."""

    report: UID
    heat_map: UID
    presentation: UID

    def __iter__(self) -> Iterator[UID]:
        return iter((self.report, self.heat_map, self.presentation))


def folder_name(instance_uid: str, settings: Sequence[str]) -> str:
    """Return the name of a folder for the objects of a radiograph, which names no patient."""
    return str(derived_uuid("folder", instance_uid, *settings))


def object_uids(instance_uid: str, settings: Sequence[str]) -> ObjectUids:
    """Return the SOP Instance UIDs of the objects of a radiograph.

    Args:
        instance_uid: SOP Instance UID of the radiograph.
        settings: of the algorithm (`reading_room.inference.Algorithm.settings`).
    """
    return ObjectUids(*(derived_uid("instance", kind, instance_uid, *settings) for kind in KINDS))


def series_uids(series_uid: str, settings: Sequence[str]) -> ObjectUids:
    """Return the Series Instance UIDs of the objects of a series of radiographs."""
    return ObjectUids(*(derived_uid("series", kind, series_uid, *settings) for kind in KINDS))
