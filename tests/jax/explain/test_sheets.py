"""The sheet of pictures of one image."""

import numpy as np

from elbow_core.evaluation.heat_maps import MappedImage
from elbow_jax.explain.sheets import draw_sheet

SIDE, GAP, TITLE = 250, 6, 22


def test_empty_map_has_a_caption_and_a_flat_gate_has_none():
    grey = np.full((SIDE, SIDE), 90, np.uint8)
    area = (0.0, 0.0, float(SIDE), float(SIDE))
    image = MappedImage(image_id="a", height=SIDE, width=SIDE, area=area)
    empty = np.zeros((8, 8), np.float32)
    sheet = draw_sheet(grey, image, [{"grad cam": empty}], [{"gate": empty}], "radiograph")
    tiles = [
        sheet[TITLE : TITLE + SIDE, column : column + SIDE]
        for column in range(0, 3 * (SIDE + GAP), SIDE + GAP)
    ]
    assert [bool((tile == 90).all()) for tile in tiles] == [True, False, True]
