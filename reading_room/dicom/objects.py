"""The objects of one radiograph, made together."""

import logging
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydicom import Dataset, config

from reading_room.dicom.presentation_state import make_presentation
from reading_room.dicom.secondary_capture import make_heat_map
from reading_room.dicom.source import Source
from reading_room.dicom.structured_report import make_report
from reading_room.dicom.uids import object_uids, series_uids
from reading_room.dicom.wording import MANUFACTURER, MODEL_NAME
from reading_room.inference import Algorithm, Finding

# Their messages quote values of the header.
for _name in ("highdicom", "pydicom"):
    logging.getLogger(_name).setLevel(logging.CRITICAL)


@dataclass(frozen=True, slots=True, eq=False)
class Objects:
    """The objects of one radiograph, ready to be written or sent."""

    report: Dataset
    heat_map: Dataset
    presentation: Dataset

    def named(self) -> Iterator[tuple[str, Dataset]]:
        """Yield each object and a name for its file; the report last, so that it ends the rest."""
        yield "heat_map", self.heat_map
        yield "presentation", self.presentation
        yield "report", self.report


def make_objects(
    source: Source, finding: Finding, algorithm: Algorithm, moment: datetime
) -> Objects:
    """Return the objects of one radiograph.

    Their UIDs follow from the radiograph's and from the algorithm's settings. Of the bytes, nothing
    but the dates and times of their creation depends on the ``moment``.

    Args:
        source: the radiograph's header.
        finding: what the model says of it.
        algorithm: what said so.
        moment: when it was said, in local time.
    """
    settings = algorithm.settings()
    uids = object_uids(source.instance_uid, settings)
    series = series_uids(source.series_uid, settings)
    common: dict[str, Any] = {
        "instance_number": source.number,
        "manufacturer": MANUFACTURER,
        "manufacturer_model_name": MODEL_NAME,
        "software_versions": algorithm.version,
        "device_serial_number": algorithm.weights_sha256,
        "specific_character_set": "ISO_IR 192",
    }
    with warnings.catch_warnings(), config.disable_value_validation():
        warnings.simplefilter("ignore")  # of values that `read_source` has found valid
        report = make_report(
            source, finding, algorithm, uids, series_instance_uid=series.report, **common
        )
        heat_map = make_heat_map(
            source, finding, uids, series_instance_uid=series.heat_map, **common
        )
        presentation = make_presentation(
            source, finding, uids, series_instance_uid=series.presentation, **common
        )
        heat_map.Laterality = presentation.Laterality = source.side
        for made in (report, heat_map, presentation):
            _complete(made, source, moment)
    return Objects(report, heat_map, presentation)


def _complete(made: Dataset, source: Source, moment: datetime) -> None:
    """Set the times that the library takes from the clock, and the identity that it leaves out."""
    date, time = f"{moment:%Y%m%d}", f"{moment:%H%M%S}"
    times = (
        ("InstanceCreationDate", date),
        ("InstanceCreationTime", time),
        ("ContentDate", date),
        ("ContentTime", time),
        ("DateOfSecondaryCapture", date),
        ("TimeOfSecondaryCapture", time),
        ("PresentationCreationDate", date),
        ("PresentationCreationTime", time),
    )
    for keyword, value in times:
        if keyword in made:
            setattr(made, keyword, value)
    for equipment in made.get("ContributingEquipmentSequence", []):
        equipment.ContributionDateTime = date + time
    for keyword in ("IssuerOfPatientID", "PatientAge", "StudyDescription"):
        if keyword in source.header:
            setattr(made, keyword, source.header.get(keyword))
