"""Boxes of FracAtlas in the forms of its download, written here as makesense.ai writes them."""

import json
import math
from pathlib import Path

import cv2
import numpy as np
import pytest

from elbow_core.dataset import Region
from elbow_core.errors import UserError
from elbow_core.sources import FracAtlasSource, scan
from elbow_core.sources.fracatlas_boxes import COCO, TABLE, VOC

NAME = "IMG0000001.jpg"
OTHER = "IMG0000002.jpg"
WIDTH, HEIGHT = 48, 64
BOXES = [(10.0, 20.0, 5.0, 6.0), (0.0, 0.0, 48.0, 64.0)]
EXPECTED = [Region("fracture", *box) for box in BOXES]


@pytest.fixture
def download(tmp_path) -> Path:
    """Two fractured images, of which the first has boxes."""
    (tmp_path / "dataset.csv").write_text(
        "image_id,hand,leg,hip,shoulder,hardware,multiscan,fractured,frontal,lateral,oblique\n"
        f"{NAME},1,0,0,0,0,0,1,1,0,0\n{OTHER},1,0,0,0,0,0,1,1,0,0\n"
    )
    folder = tmp_path / "images/Fractured"
    folder.mkdir(parents=True)
    ramp = np.tile(np.arange(WIDTH, dtype=np.uint8), (HEIGHT, 1))
    for name in (NAME, OTHER):
        cv2.imwrite(str(folder / name), ramp)
    return tmp_path


def coco(**changed) -> dict:
    return {
        "info": {"description": "fractures"},
        "images": [
            {"id": 7, "width": WIDTH, "height": HEIGHT, "file_name": NAME},
            {"id": 8, "width": WIDTH, "height": HEIGHT, "file_name": "IMG0009999.jpg"},
        ],
        "annotations": [
            *(
                {
                    "id": k,
                    "iscrowd": 0,
                    "image_id": 7,
                    "category_id": 1,
                    "segmentation": [[1, 2, 3, 4, 5, 6]],
                    "bbox": list(box),
                    "area": box[2] * box[3],
                }
                for k, box in enumerate(BOXES)
            ),
            {"id": 9, "image_id": 8, "category_id": 1, "bbox": [1, 1, 2, 2]},
        ],
        "categories": [{"id": 1, "name": "fractured"}],
        **changed,
    }


def write_coco(root: Path, content: object) -> None:
    path = root / COCO
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(content))


def voc(boxes, width=WIDTH, height=HEIGHT, name="fractured") -> str:
    objects = "".join(
        f"<object><name>{name}</name><pose>Unspecified</pose><bndbox><xmin>{x}</xmin>"
        f"<ymin>{y}</ymin><xmax>{x + w}</xmax><ymax>{y + h}</ymax></bndbox></object>"
        for x, y, w, h in boxes
    )
    return (
        f"<annotation><folder>images</folder><filename>{NAME}</filename><size>"
        f"<width>{width}</width><height>{height}</height><depth>3</depth></size>{objects}"
        "</annotation>"
    )


def write_voc(root: Path, text: str, name: str = NAME) -> None:
    folder = root / VOC
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{Path(name).stem}.xml").write_text(text)


def boxes_of(root: Path):
    return scan(root, FracAtlasSource()).regions


def test_coco_and_voc_give_the_same_boxes(download):
    write_voc(download, voc(BOXES))
    write_voc(download, voc([]), OTHER)  # The download has a file for each image.
    from_voc = boxes_of(download)
    write_coco(download, coco())
    assert from_voc == boxes_of(download) == {f"images/Fractured/{NAME}": EXPECTED}


def test_table_of_a_subset_comes_first(download):
    write_coco(download, coco())
    (download / TABLE).write_text(f"image_id,x,y,width,height\n{OTHER},1,2,3,4\n")
    assert boxes_of(download) == {
        f"images/Fractured/{OTHER}": [Region("fracture", 1.0, 2.0, 3.0, 4.0)]
    }


def test_boxes_of_another_size_than_the_image_are_refused(download):
    problem = rf"the box is of an image of 96 x 128 pixels, and .*{NAME} has 48 x 64; .*boxes.csv"
    write_voc(download, voc(BOXES, 96, 128))
    with pytest.raises(UserError, match=problem):
        boxes_of(download)
    image = {"id": 7, "width": 96, "height": 128, "file_name": NAME}
    write_coco(download, coco(images=[image], annotations=coco()["annotations"][:2]))
    with pytest.raises(UserError, match=problem):
        boxes_of(download)


def test_damaged_image_is_left_to_preparation(download):
    (download / f"images/Fractured/{NAME}").write_bytes(b"x")
    write_coco(download, coco())
    assert len(boxes_of(download)) == 1


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ([], "Input should be an object"),
        (coco(annotations=[{"image_id": 7, "category_id": 1}]), r"annotations.0.bbox: Field"),
        (
            coco(annotations=[{"image_id": 7, "category_id": 1, "bbox": [1, 2, 3]}]),
            r"annotations.0.bbox.3: Field required",
        ),
        (
            coco(annotations=[{"image_id": 7, "category_id": 1, "bbox": ["1", 2, 3, 4]}]),
            r"annotations.0.bbox.0: Input should be a valid number",
        ),
        (
            coco(annotations=[{"image_id": 7, "category_id": 1, "bbox": [1, 2, 0, 4]}]),
            r"annotations.0: the box is empty",
        ),
        (
            coco(annotations=[{"image_id": 7, "category_id": 1, "bbox": [-1, 2, 3, 4]}]),
            r"annotations.0: x: '-1.0' is not a number from 0",
        ),
        (
            coco(annotations=[{"image_id": 3, "category_id": 1, "bbox": [1, 2, 3, 4]}]),
            r"annotations.0: image_id: no image has the id 3",
        ),
        (
            coco(annotations=[{"image_id": 7, "category_id": 2, "bbox": [1, 2, 3, 4]}]),
            r"annotations.0: category_id: is '', not 'fractured'",
        ),
        (coco(categories=[{"id": 1, "name": "wrist"}]), r"annotations.0: category_id: is 'wrist'"),
        (
            coco(annotations=[{"image_id": 7, "category_id": 1, "bbox": [1, 2, math.nan, 4]}]),
            "annotations.0.*: width: 'nan' is not a number|annotations.0.bbox.2: Input",
        ),
    ],
)
def test_damaged_coco_is_named(content, problem, download):
    write_coco(download, content)
    with pytest.raises(UserError, match=f"COCO_fracture_masks.json: {problem}"):
        boxes_of(download)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("<annotation>", "is not sound XML"),
        ("", "is not sound XML"),
        (
            '<!DOCTYPE a [<!ENTITY e "fractured">]>' + voc(BOXES, name="&e;"),
            "is not sound XML: a document type is not allowed",
        ),
        (voc(BOXES, name="wrist"), "object/name: is 'wrist'"),
        (voc(BOXES).replace("<xmin>10.0", "<xmin>ten"), "bndbox/xmin: 'ten' is not a number"),
        (voc([(5, 5, 0, 3)]), "the box is empty"),
        (voc([(5, 5, -2, 3)]), "width: '-2.0' is not a number from 0"),
        (voc(BOXES).replace("<width>48</width>", ""), "size/width: '' is not a number"),
    ],
)
def test_damaged_voc_is_named(text, problem, download):
    write_voc(download, text)
    with pytest.raises(UserError, match=f"IMG0000001.xml: {problem}"):
        boxes_of(download)


def test_expanding_entities_cost_nothing(download):
    levels = "".join(f'<!ENTITY e{k} "{f"&e{k - 1};" * 10}">' for k in range(1, 12))
    write_voc(download, f'<!DOCTYPE a [<!ENTITY e0 "x">{levels}]><annotation>&e11;</annotation>')
    with pytest.raises(UserError, match="a document type is not allowed"):
        boxes_of(download)
