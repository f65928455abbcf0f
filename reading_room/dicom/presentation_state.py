"""A presentation state: the radiograph as it is shown, with the score and a box around the heat."""

from typing import Any

import cv2
import highdicom
import numpy as np
from highdicom.pr import (
    GraphicAnnotation,
    GraphicLayer,
    GraphicObject,
    GrayscaleSoftcopyPresentationState,
    TextObject,
)
from jaxtyping import Float32
from pydicom import Dataset

from reading_room.dicom.source import Source
from reading_room.dicom.uids import ObjectUids
from reading_room.dicom.wording import SHORT_NOT_A_DEVICE, gate_warning, headline
from reading_room.inference import Finding

_LAYER = GraphicLayer("ELBOW", 1, "Score and box (research)")
_SHARE = 0.5  # of the highest value of a map: what is above it belongs to the box


def hottest_box(
    heat: Float32[np.ndarray, "size size"], height: int, width: int
) -> tuple[float, float, float, float] | None:
    """Return left, top, right and bottom of the hottest region, in pixels of the radiograph.

    The region is, of the connected ones above half of the map's maximum, that with the largest sum.
    None for a map without evidence.

    Args:
        heat: not negative; covers the whole radiograph.
        height: of the radiograph in pixels.
        width: of the radiograph in pixels.
    """
    highest = float(heat.max())
    if not highest > 0:
        return None
    count, regions = cv2.connectedComponents((heat >= _SHARE * highest).astype(np.uint8))
    sums = [float(heat[regions == region].sum()) for region in range(1, count)]
    rows, columns = np.nonzero(regions == 1 + int(np.argmax(sums)))
    down, across = height / heat.shape[0], width / heat.shape[1]
    return (
        float(columns.min()) * across,
        float(rows.min()) * down,
        float(columns.max() + 1) * across,
        float(rows.max() + 1) * down,
    )


def make_presentation(source: Source, finding: Finding, uids: ObjectUids, **common: Any) -> Dataset:
    """Return the presentation state; ``common`` are arguments of every object.

    The grey levels are those of the radiograph's own transformations. Only an answer other than
    *absent* has a box: one on a radiograph that is called normal would mislead.

    Reference: DICOM PS3.3 A.33.1, C.10.5, C.11.
    """
    header = source.header
    shape = "INVERSE" if source.inverted else "IDENTITY"
    made = GrayscaleSoftcopyPresentationState(
        referenced_images=[header],
        series_number=9103,
        series_description="Score on the radiograph (research)",
        sop_instance_uid=uids.presentation,
        content_label="INJURY SCORE",
        content_description="Score and box of a model. Not a medical device.",
        graphic_layers=[_LAYER],
        graphic_annotations=[_annotation(source, finding)],
        presentation_lut_transformation=highdicom.PresentationLUTTransformation(shape),
        **common,
    )
    source.levels.apply_to(made)
    (area,) = made.DisplayedAreaSelectionSequence
    area.PresentationPixelAspectRatio = list(source.aspect)
    del area.PixelOriginInterpretation  # for images of many tiles
    return made


def _annotation(source: Source, finding: Finding) -> GraphicAnnotation:
    rows, columns = int(source.header.Rows), int(source.header.Columns)
    box = None
    if finding.answer != "absent":
        box = hottest_box(finding.heat, rows, columns)
    return GraphicAnnotation(
        referenced_images=[source.header],
        graphic_layer=_LAYER,
        graphic_objects=None if box is None else [_rectangle(*box)],
        text_objects=[_text(finding)],
    )


def _rectangle(left: float, top: float, right: float, bottom: float) -> GraphicObject:
    corners = [(left, top), (right, top), (right, bottom), (left, bottom), (left, top)]
    return GraphicObject("POLYLINE", np.array(corners), units="PIXEL")


def _text(finding: Finding) -> TextObject:
    lines = [SHORT_NOT_A_DEVICE, headline(finding), gate_warning(finding)]
    return TextObject(
        "\r\n".join(line for line in lines if line),
        units="DISPLAY",
        bounding_box=(0.02, 0.02, 0.98, 0.12),
        text_justification="LEFT",
    )
