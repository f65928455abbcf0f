"""The card of a set of heat maps, ``maps.json``: its schema, read strictly."""

from collections import Counter
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from elbow_core.config import StrictModel, parse_record
from elbow_core.files import parse_json
from elbow_core.identity import normalise_image_id

FORMAT = 1

Area = tuple[float, float, float, float]
"""Left, top, width and height of the rectangle that a map covers, in pixels of the radiograph."""


def _check_name(text: str) -> str:
    if not text.isprintable() or text != text.strip():
        raise ValueError(f"{text!a} is not printable text without blanks around it")
    return text


def _check_id(text: str) -> str:
    if not normalise_image_id(text):
        raise ValueError(f"{text!a} names no image")
    return text


Name = Annotated[str, Field(min_length=1, max_length=100), AfterValidator(_check_name)]
ImageId = Annotated[str, Field(max_length=4096), AfterValidator(_check_id)]
Side = Annotated[int, Field(ge=1, le=4096)]
Pixels = Annotated[int, Field(ge=1, le=1_000_000)]
Edge = Annotated[float, Field(ge=-1e7, le=1e7)]
Length = Annotated[float, Field(gt=0, le=1e7)]


class MappedImage(StrictModel):
    """One image, and the part of it that its map covers."""

    image_id: ImageId
    """As in the manifest of the prepared data."""
    height: Pixels
    """Of the radiograph, after EXIF orientation."""
    width: Pixels
    area: tuple[Edge, Edge, Length, Length]
    """Left, top, width and height of the rectangle that the whole map covers, in pixels of the
    radiograph, whose pixel 0 reaches from 0 to 1. Row i and column j of a map of h x w pixels cover
    ``top + [i, i + 1] * height / h`` and ``left + [j, j + 1] * width / w``. The rectangle is
    (0, 0, width, height) for a network whose input is the whole radiograph, also where its aspect
    ratio was changed; a part of it for a crop; and greater than it for a letterbox."""


class MapsCard(StrictModel):
    """The content of maps.json: whose maps these are, and of which images.

    ``images`` are in the order of the files of maps, 00000.npy and so on.
    """

    format: Literal[1]
    method: Name
    """How the maps were made, with the settings that matter, such as ``Grad-CAM, last stage``."""
    network: Name
    """The network that the maps explain."""
    weights: Literal["trained", "random"]
    """``random`` marks a baseline: the same method on the same network before it learnt anything
    (Adebayo et al., Sanity checks for saliency maps, NeurIPS 2018)."""
    height: Side
    """Of every map, in its own pixels."""
    width: Side
    images: Annotated[tuple[MappedImage, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _check_repeated(self) -> "MapsCard":
        counts = Counter(normalise_image_id(image.image_id) for image in self.images)
        for image in self.images:
            if counts[normalise_image_id(image.image_id)] > 1:
                raise ValueError(f"images: {image.image_id!a} has two maps")
        return self

    @property
    def label(self) -> str:
        """The name of these maps in tables: method, network and, for a baseline, its weights."""
        random = ", random weights" if self.weights == "random" else ""
        return f"{self.method}, {self.network}{random}"


def parse_card(content: bytes) -> MapsCard:
    """Return the card in the bytes of a file.

    Raises:
        ValueError: in one line, for text that is not strict JSON, another format, a value that
            cannot be, or an image with two maps.
    """
    card = parse_json(content)
    if isinstance(card, dict) and type(card.get("format")) is int and card["format"] > FORMAT:
        raise ValueError(
            f"format {card['format']} is newer than this program's {FORMAT}; update the program"
        )
    return parse_record(MapsCard, content)
