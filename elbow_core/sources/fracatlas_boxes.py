"""Boxes of fractures of FracAtlas: its COCO or PASCAL VOC annotations, or a table of a subset."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn
from xml.etree import ElementTree

from pydantic import BaseModel, ConfigDict

from elbow_core.config import parse_record
from elbow_core.dataset import Region, parse_region
from elbow_core.errors import RadiographError, UserError
from elbow_core.files import read_regular
from elbow_core.identity import normalise_image_id
from elbow_core.radiographs import check_radiograph, read_bytes
from elbow_core.tables import parse_number, read_csv_table, require_columns

TABLE = "boxes.csv"
COCO = "Annotations/COCO JSON/COCO_fracture_masks.json"
VOC = "Annotations/PASCAL VOC"

_COLUMNS = ("image_id", "x", "y", "width", "height")
_KIND = "fracture"
_NAME = "fractured"  # of the download's one category
_MAX_COCO_BYTES = 2**26
_MAX_VOC_BYTES = 2**20


def read_boxes(base: Path, images: Mapping[str, Path]) -> dict[str, list[Region]]:
    """Return the boxes of fractures of these images, in their pixels.

    The first that exists is read: the table `TABLE`, the file `COCO`, the folder `VOC`. The
    download's two hold the same boxes; the table is that of a subset whose images were resized.

    Args:
        base: the folder of FracAtlas' table.
        images: files by `normalise_image_id` of their name. Boxes of other images are passed over.

    Returns:
        The boxes by the keys of `images`, for images that have some.

    Raises:
        UserError: ``file: place: problem``, for a file that cannot be read or has another form, a
            category that is not ``fractured``, an image of another size than the annotations say
            (it was resized, and its boxes were not), and a box that is empty or no number.

    References:
        Lin et al., Microsoft COCO (`arXiv 1405.0312`): ``bbox`` is left, top, width, height.
        Everingham et al., IJCV 2010: ``bndbox`` is xmin, ymin, xmax, ymax. The download's files
        were written by makesense.ai, whose coordinates begin at 0 and are edges.
    """
    if (base / TABLE).is_file():
        found = _read_table(base / TABLE)
    elif (base / COCO).is_file():
        found = _read_coco(base / COCO)
    elif (base / VOC).is_dir():
        found = _read_voc(base / VOC, images)
    else:
        return {}
    boxes: dict[str, list[Region]] = {}
    for annotation in found:
        name = normalise_image_id(annotation.image)
        if name in images:
            _check_size(annotation, images[name])
            boxes.setdefault(name, []).append(annotation.region)
    return boxes


@dataclass(frozen=True, slots=True)
class _Annotation:
    """A box, its image's file name and, where the annotations tell it, that image's size."""

    image: str
    region: Region
    place: str
    size: tuple[int, int] | None = None


def _check_size(annotation: _Annotation, image: Path) -> None:
    if annotation.size is None:
        return
    try:
        header = check_radiograph(read_bytes(image), str(image))
    except RadiographError:
        return  # Preparation rejects the image, with this reason.
    if (header.width, header.height) != annotation.size:
        width, height = annotation.size
        raise UserError(
            f"{annotation.place}: the box is of an image of {width} x {height} pixels, and {image} "
            f"has {header.width} x {header.height}; give boxes of resized images in {TABLE}"
        )


def _read_table(path: Path) -> Iterator[_Annotation]:
    table = read_csv_table(path, UserError, require_columns(*_COLUMNS))
    for line in table.rows:
        place = table.place(line)
        yield _Annotation(line.cells["image_id"], parse_region(line.cells, place, _KIND), place)


class _Strict(BaseModel):
    model_config = ConfigDict(strict=True)


class _CocoImage(_Strict):
    id: int
    file_name: str
    width: int
    height: int


class _CocoBox(_Strict):
    image_id: int
    category_id: int
    bbox: tuple[float, float, float, float]


class _CocoCategory(_Strict):
    id: int
    name: str


class _Coco(_Strict):
    """What is used of a COCO file; further keys, such as ``segmentation``, are passed over."""

    images: list[_CocoImage]
    annotations: list[_CocoBox]
    categories: list[_CocoCategory]


def _read_coco(path: Path) -> Iterator[_Annotation]:
    try:
        content = parse_record(_Coco, read_regular(path, _MAX_COCO_BYTES))
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise UserError(f"{path}: {error}") from error
    images = {image.id: image for image in content.images}
    names = {category.id: category.name for category in content.categories}
    for number, box in enumerate(content.annotations):
        place = f"{path}: annotations.{number}"
        image = images.get(box.image_id)
        if image is None:
            raise UserError(f"{place}: image_id: no image has the id {box.image_id}")
        _check_category(names.get(box.category_id, ""), f"{place}: category_id")
        region = _region(*box.bbox, place)
        yield _Annotation(image.file_name, region, place, (image.width, image.height))


def _read_voc(folder: Path, images: Mapping[str, Path]) -> Iterator[_Annotation]:
    for image in images.values():
        path = folder / f"{image.stem}.xml"
        if not path.is_file():
            continue
        root = _parse_xml(path)
        size = (int(_number(root, "size/width", path)), int(_number(root, "size/height", path)))
        for box in root.iterfind("object"):
            _check_category(box.findtext("name", ""), f"{path}: object/name")
            left, top, right, bottom = (
                _number(box, f"bndbox/{name}", path) for name in ("xmin", "ymin", "xmax", "ymax")
            )
            region = _region(left, top, right - left, bottom - top, str(path))
            yield _Annotation(image.name, region, str(path), size)


class _NoDocumentType(ElementTree.TreeBuilder):
    """Refuses a document type, without which a file can define no entities."""

    def doctype(self, name: str, pubid: str | None, system: str | None) -> NoReturn:
        raise ElementTree.ParseError("a document type is not allowed")


def _parse_xml(path: Path) -> ElementTree.Element:
    try:
        parser = ElementTree.XMLParser(target=_NoDocumentType())
        return ElementTree.fromstring(read_regular(path, _MAX_VOC_BYTES), parser)
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from error
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        raise UserError(f"{path}: is not sound XML: {error}") from error


def _number(element: ElementTree.Element, name: str, path: Path) -> float:
    try:
        return parse_number(element.findtext(name, "").strip())
    except ValueError as error:
        raise UserError(f"{path}: {name}: {error}") from error


def _check_category(name: str, place: str) -> None:
    if name != _NAME:
        raise UserError(f"{place}: is {name!r}, not {_NAME!r}")


def _region(x: float, y: float, width: float, height: float, place: str) -> Region:
    cells = {"x": x, "y": y, "width": width, "height": height}
    return parse_region({name: repr(value) for name, value in cells.items()}, place, _KIND)
