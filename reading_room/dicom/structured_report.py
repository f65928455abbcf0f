"""A finding as a Comprehensive SR of template TID 1500, Measurement Report."""

from collections.abc import Sequence

from highdicom import sr
from highdicom.coding_schemes import CodingSchemeIdentificationItem
from pydicom import Dataset
from pydicom.sr.codedict import codes

from reading_room.dicom.image_library import image_library
from reading_room.dicom.source import Source
from reading_room.dicom.uids import ObjectUids, derived_uid
from reading_room.dicom.wording import (
    HEAT_MEANING,
    MANUFACTURER,
    MODEL_NAME,
    NOT_A_DEVICE,
    SCORE_MEANING,
    gate_warning,
    headline,
)
from reading_room.inference import Algorithm, Finding

SCHEME = CodingSchemeIdentificationItem(
    designator="99ELBOW",
    name="elbow-radiographs",
    version="1",
    responsible_organization=MANUFACTURER,
)
_GATE = sr.CodedConcept("GATE", "99ELBOW", "Likeness to the training images")
_ALIKE = sr.CodedConcept("ALIKE", "99ELBOW", "Like the training images")
_UNLIKE = sr.CodedConcept("UNLIKE", "99ELBOW", "Unlike the training images")
_NO_GATE = sr.CodedConcept("NOGATE", "99ELBOW", "Not examined: the model has no input gate")
_DISTANCE = sr.CodedConcept("GATEDIST", "99ELBOW", "Distance to the training images, limit 1")
_ANSWERS = {
    "present": codes.SCT.Present,
    "absent": codes.cid240.Absent,
    "undetermined": codes.cid240.Undetermined,
}
_ENGLISH = sr.CodedConcept("en", "RFC5646", "English")


def report_content(
    source: Source, finding: Finding, algorithm: Algorithm, uids: ObjectUids
) -> sr.MeasurementReport:
    """Return the content of the report.

    One group of measurements about the image: the finding *traumatic injury* is present, absent or
    undetermined; its probability is the score; the threshold, where there is one; what the input
    gate says; and the algorithm with its weights and operating point as parameters. Comments hold
    what a reader must know.

    Reference: DICOM PS3.16, TID 1500, TID 1501, TID 4019; CID 240.
    """
    report = sr.MeasurementReport(
        observation_context=_observer(algorithm),
        procedure_reported=codes.SCT.PlainRadiography,
        imaging_measurements=[_measurements(source, finding, algorithm, uids)],
        title=codes.DCM.ImagingMeasurementReport,
        language_of_content_item_and_descendants=sr.LanguageOfContentItemAndDescendants(_ENGLISH),
    )
    content = report[0].ContentSequence
    place = next(
        index for index, item in enumerate(content) if item.name == codes.DCM.ImagingMeasurements
    )
    content.insert(place, image_library(source))
    comments = [NOT_A_DEVICE, headline(finding), gate_warning(finding), SCORE_MEANING, HEAT_MEANING]
    for comment in filter(None, comments):
        content.append(
            sr.TextContentItem(
                name=codes.DCM.Comment,
                value=comment,
                relationship_type=sr.RelationshipTypeValues.CONTAINS,
            )
        )
    return report


def make_report(
    source: Source, finding: Finding, algorithm: Algorithm, uids: ObjectUids, **common: object
) -> Dataset:
    """Return the Comprehensive SR; ``common`` are arguments of every object."""
    made = sr.ComprehensiveSR(
        evidence=[source.header],
        content=report_content(source, finding, algorithm, uids)[0],
        series_number=9101,
        series_description="Injury score (research)",
        sop_instance_uid=uids.report,
        is_complete=True,
        is_final=False,
        is_verified=False,
        **common,  # pyright: ignore[reportArgumentType]
    )
    made.CodingSchemeIdentificationSequence = [SCHEME]
    return made


def _observer(algorithm: Algorithm) -> sr.ObservationContext:
    identity = sr.DeviceObserverIdentifyingAttributes(
        uid=derived_uid("device", *algorithm.settings()),
        name=f"{MANUFACTURER} {algorithm.network}"[:64],
        manufacturer_name=MANUFACTURER,
        model_name=MODEL_NAME,
        serial_number=algorithm.weights_sha256[:16],
    )
    return sr.ObservationContext(
        observer_device_context=sr.ObserverContext(
            observer_type=codes.DCM.Device, observer_identifying_attributes=identity
        )
    )


def _measurements(
    source: Source, finding: Finding, algorithm: Algorithm, uids: ObjectUids
) -> sr.MeasurementsAndQualitativeEvaluations:
    return sr.MeasurementsAndQualitativeEvaluations(
        tracking_identifier=sr.TrackingIdentifier(
            uid=derived_uid("finding", str(uids.report)), identifier="Injury in the radiograph"
        ),
        # Not for another answer: whoever reads this item alone would take it for a diagnosis.
        finding_type=codes.SCT.TraumaticInjury if finding.answer == "present" else None,
        algorithm_id=sr.AlgorithmIdentification(
            name=f"{MANUFACTURER} {algorithm.network}",
            version=algorithm.version,
            parameters=list(parameters(algorithm)),
        ),
        measurements=list(_numbers(finding, algorithm)),
        qualitative_evaluations=[
            sr.QualitativeEvaluation(codes.SCT.TraumaticInjury, _ANSWERS[finding.answer]),
            sr.QualitativeEvaluation(_GATE, _gate(finding)),
        ],
        source_images=[sr.SourceImageForMeasurementGroup.from_source_image(source.header)],
    )


def parameters(algorithm: Algorithm) -> Sequence[str]:
    """Return what identifies the weights and the settings, a line each."""
    return (
        f"weights SHA-256: {algorithm.weights_sha256}",
        f"model card SHA-256: {algorithm.card_sha256}",
        f"operating point: {algorithm.point}",
        f"labels: {algorithm.labels[0]}, {algorithm.labels[1]}",
        f"heat map: {algorithm.method}",
    )


def _numbers(finding: Finding, algorithm: Algorithm) -> Sequence[sr.Measurement]:
    found = [sr.Measurement(codes.DCM.Probability, finding.score, codes.UCUM.NoUnits)]
    point = algorithm.point
    if point.absent_below == point.present_from:
        threshold = codes.DCM.ThresholdValue
        found.append(sr.Measurement(threshold, point.present_from, codes.UCUM.NoUnits))
    if finding.distance is not None:
        found.append(sr.Measurement(_DISTANCE, round(finding.distance, 6), codes.UCUM.NoUnits))
    return found


def _gate(finding: Finding) -> sr.CodedConcept:
    if finding.distance is None:
        return _NO_GATE
    return _UNLIKE if finding.is_unlike else _ALIKE
