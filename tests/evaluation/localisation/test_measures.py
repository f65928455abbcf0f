"""Agreement of one map with boxes: values computed by hand, and brute force on a fine grid."""

import numpy as np
import pytest

from elbow_core.dataset import Region
from elbow_core.evaluation.localisation.boxes import (
    boxes_in_map,
    boxes_of,
    coverage,
    distance_to_nearest,
    union_area,
)
from elbow_core.evaluation.localisation.measures import Agreement, agreement


def boxes(*edges: tuple[float, float, float, float]) -> np.ndarray:
    return np.array(edges, np.float64).reshape(-1, 4)


def pixels(rows: list[list[float]]) -> np.ndarray:
    return np.array(rows, np.float32)


def of_whole(values: np.ndarray, edges: np.ndarray, scale: int = 1) -> Agreement:
    """The agreement of a map of a whole image with `scale` pixels for each pixel of the map."""
    height, width = (side * scale for side in values.shape)
    return agreement(values, edges, (0.0, 0.0, float(width), float(height)), height, width)


MAP = pixels([[0, 1, 2, 0], [0, 3, 8, 1], [0, 0, 1, 0], [4, 0, 0, 0]])  # sum 20


def test_values_of_a_small_map_by_hand():
    # The box covers the middle 2 x 2 pixels: 3, 8, 0 and 1. The four highest are 8, 4, 3, 2.
    found = of_whole(MAP, boxes((1, 1, 3, 3)))
    assert found.pointing == 1
    assert found.energy == pytest.approx(12 / 20)
    assert found.iou == pytest.approx(2 / 6)


def test_box_of_fractions_of_pixels_counts_by_its_share():
    # Half of pixel (1, 2), a quarter of (2, 2): 8 / 2 + 1 / 4; its area is 0.75 pixels.
    found = of_whole(MAP, boxes((2.5, 1, 3, 2.5)))
    assert found.energy == pytest.approx(4.25 / 20)
    # The highest 0.75 pixels are those of the maximum, half of which is in the box.
    assert found.iou == pytest.approx(0.375 / (1.5 - 0.375))
    assert found.pointing == 1  # the middle of the pixel, 2.5, is on the edge of the box
    assert of_whole(MAP, boxes((2.51, 1, 3, 2.5))).pointing == 0


def test_several_boxes_count_as_their_union():
    both = boxes((1, 1, 3, 3), (2, 0, 3, 2))
    # The union also has the 2 above: 14 of 20. The five highest are 8, 4, 3, 2 and one of three 1.
    found = of_whole(MAP, both)
    assert found.energy == pytest.approx(14 / 20)
    # Of the three pixels of 1 beside the maximum (0, 1), (1, 3), (2, 2), one third each; the last
    # is in the box.
    overlap = 3 + 1 / 3
    assert found.iou == pytest.approx(overlap / (10 - overlap))
    assert of_whole(MAP, both[::-1].copy()) == found
    # A box that hits suffices.
    assert of_whole(MAP, boxes((0, 0, 1, 1), (2, 1, 3, 2))).pointing == 1


def test_tied_maxima_count_by_their_share():
    values = pixels([[5, 0, 5, 0], [0, 0, 0, 0], [0, 5, 0, 0], [0, 0, 0, 0]])
    found = of_whole(values, boxes((0, 0, 1, 1)))
    assert found.pointing == pytest.approx(1 / 3)
    # The highest pixel of three equal ones: a third of it overlaps.
    assert found.iou == pytest.approx((1 / 3) / (2 - 1 / 3))


@pytest.mark.parametrize("level", [0.0, 0.25, 3e38])
def test_map_without_contrast_scores_what_a_random_pixel_would(level):
    values = np.full((4, 4), level, np.float32)
    found = of_whole(values, boxes((0, 0, 2, 2)))  # a quarter of the image
    assert found.pointing == pytest.approx(0.25)
    assert found.energy == pytest.approx(0.25)
    assert found.iou == pytest.approx(1 / (8 - 1))  # 4 of 16 pixels, of which 1 is expected inside


def test_perfect_map_scores_one():
    values = np.zeros((8, 6), np.float32)
    values[2:5, 1:4] = 7
    assert of_whole(values, boxes((1, 2, 4, 5))) == Agreement(1.0, 1.0, 1.0, 1.0)


def test_box_of_the_whole_image_is_always_hit():
    assert of_whole(MAP, boxes((0, 0, 4, 4))) == Agreement(1.0, 1.0, 1.0, 1.0)


def test_tolerance_is_three_percent_of_the_long_side():
    # 500 pixels wide: 15. The maximum is in the middle of pixel 250, at 250.5.
    values = np.zeros((4, 500), np.float32)
    values[2, 250] = 1
    for left, hit in ((265.5, 1.0), (265.6, 0.0)):
        found = agreement(values, boxes((left, 0, 300, 4)), (0.0, 0.0, 500.0, 4.0), 4, 500)
        assert (found.pointing, found.pointing_tolerant) == (0.0, hit)


def test_tolerance_is_a_circle_in_the_radiograph():
    # A square map of an image of 1000 x 200: its pixels are 10 wide and 2 high; tolerance 30.
    values = np.zeros((100, 100), np.float32)
    values[50, 50] = 1  # x 505, y 101
    area = (0.0, 0.0, 1000.0, 200.0)
    for edges, hit in (
        ((534.9, 90, 600, 110), 1.0),
        ((535.1, 90, 600, 110), 0.0),
        ((500, 130.9, 510, 150), 1.0),
        ((500, 131.1, 510, 150), 0.0),
        ((505 + 21, 101 + 21, 600, 150), 1.0),  # 29.7 along the diagonal
        ((505 + 22, 101 + 22, 600, 150), 0.0),
    ):
        found = agreement(values, boxes(edges), area, 200, 1000)
        assert found.pointing_tolerant == hit, edges


def test_map_is_stretched_to_the_image_that_it_covers():
    found = of_whole(MAP, boxes((10, 10, 30, 30)), scale=10)
    assert found == of_whole(MAP, boxes((1, 1, 3, 3)))


def test_crop_and_letterbox_lead_back_to_the_radiograph():
    values = np.zeros((4, 4), np.float32)
    values[1, 2] = 1
    edges = boxes((60, 40, 80, 60))
    # A crop of 80 x 80 pixels from (20, 20): pixel (1, 2) covers x 60 to 80, y 40 to 60.
    crop = agreement(values, edges, (20.0, 20.0, 80.0, 80.0), 200, 200)
    assert crop == Agreement(1.0, 1.0, 1.0, 1.0)
    # An image of 100 x 50 in the middle of a square: pixel (1, 2) covers x 50 to 75, y 0 to 25.
    letterbox = agreement(values, boxes((50, 0, 75, 25)), (0.0, -25.0, 100.0, 100.0), 50, 100)
    assert letterbox == Agreement(1.0, 1.0, 1.0, 1.0)


def test_box_outside_the_area_of_the_map_is_missed():
    values = np.ones((4, 4), np.float32)
    found = agreement(values, boxes((150, 150, 170, 170)), (0.0, 0.0, 80.0, 80.0), 200, 200)
    assert found == Agreement(0.0, 0.0, 0.0, 0.0)
    # Half of the box is outside: the other half is half of the union at best.
    values = np.zeros((4, 4), np.float32)
    values[0, 3] = 1
    half = agreement(values, boxes((60, 0, 100, 20)), (0.0, 0.0, 80.0, 80.0), 200, 200)
    assert half.energy == 1
    # Two pixels' area: the maximum, and a fifteenth of each of the other pixels, outside the box.
    assert half.iou == pytest.approx(1 / (2 + 2 - 1))


def test_measures_equal_brute_force_on_a_fine_grid():
    rng = np.random.default_rng(3)
    fine = 8  # boxes lie on eighths of a pixel
    for _ in range(40):
        height, width = rng.integers(3, 9, 2).tolist()
        values = rng.integers(0, 4, (height, width)).astype(np.float32)
        edges = []
        mask = np.zeros((height * fine, width * fine), bool)
        for _ in range(int(rng.integers(1, 4))):
            left, right = np.sort(rng.choice(width * fine + 1, 2, replace=False)).tolist()
            top, bottom = np.sort(rng.choice(height * fine + 1, 2, replace=False)).tolist()
            edges.append((left / fine, top / fine, right / fine, bottom / fine))
            mask[top:bottom, left:right] = True
        found = of_whole(values, boxes(*edges))
        large = np.kron(values, np.ones((fine, fine)))
        if large.sum():
            assert found.energy == pytest.approx(large[mask].sum() / large.sum())
        ordered = np.sort(large.ravel())[::-1]
        lowest = ordered[mask.sum() - 1]
        part = np.where(large > lowest, 1.0, 0.0)
        part[large == lowest] = (mask.sum() - part.sum()) / np.sum(large == lowest)
        overlap = part[mask].sum()
        assert found.iou == pytest.approx(overlap / (2 * mask.sum() - overlap))
        assert union_area(boxes(*edges)) == pytest.approx(mask.sum() / fine**2)
        shares = mask.reshape(height, fine, width, fine).mean(axis=(1, 3))
        assert coverage(boxes(*edges), height, width) == pytest.approx(shares)


def test_distance_is_that_to_the_nearest_point_of_the_nearest_box():
    edges = boxes((0, 0, 2, 2), (10, 0, 12, 2))
    x, y = np.array([1.0, 5, 9, 13, 2]), np.array([1.0, 6, 1, 5, 2])
    assert distance_to_nearest(x, y, edges) == pytest.approx([0, 5, 1, np.sqrt(10), 0])


def test_boxes_are_of_some_kinds_and_cut_to_the_image():
    regions = [
        Region("fracture", 1.0, 2.0, 3.0, 4.0),
        Region("metal", 0.0, 0.0, 5.0, 5.0),
        Region("dislocation", 8.0, 8.0, 2.9, 2.9),
        Region("fracture", 10.0, 3.0, 0.8, 4.0),  # as rounded: beyond the edge
    ]
    found = boxes_of(regions, ("fracture", "dislocation"), 10, 10)
    assert found.tolist() == [[1, 2, 4, 6], [8, 8, 10, 10]]
    assert boxes_of(regions[1:2], ("fracture",), 10, 10).shape == (0, 4)


def test_boxes_move_with_the_area_of_the_map():
    found = boxes_in_map(boxes((60, 40, 80, 60)), (20.0, 30.0, 80.0, 40.0), 8, 4)
    assert found.tolist() == [[2, 2, 3, 6]]
