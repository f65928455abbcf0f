"""Marks of a map: values by hand, ties and plateaus, and scikit-image's peaks."""

import numpy as np
import pytest
from skimage.feature import peak_local_max

from elbow_core.evaluation.localisation.marks import MOST_MARKS, Marks, detections, find_marks


def marks_of(values: np.ndarray, scale: float = 1.0) -> Marks:
    """The marks of a map of a whole image with `scale` pixels for each pixel of the map."""
    height, width = (side * scale for side in values.shape)
    return find_marks(values.astype(np.float32), (0.0, 0.0, width, height), height, width)


def places(marks: Marks) -> list[tuple[float, float, float]]:
    return list(zip(marks.x.tolist(), marks.y.tolist(), marks.score.tolist(), strict=True))


def test_peaks_are_marked_from_the_highest_at_the_middle_of_their_pixels():
    values = np.zeros((20, 20))  # marks exclude each other within one pixel
    values[3, 4], values[10, 15], values[10, 16], values[19, 0] = 2, 5, 4, 3
    assert places(marks_of(values)) == [(15.5, 10.5, 5), (0.5, 19.5, 3), (4.5, 3.5, 2)]
    assert places(marks_of(values, 10.0)) == [(155, 105, 5), (5, 195, 3), (45, 35, 2)]


def test_marks_are_in_pixels_of_the_radiograph_for_a_crop():
    values = np.zeros((20, 20), np.float32)
    values[3, 4] = 1
    found = find_marks(values, (100.0, 50.0, 40.0, 80.0), 400, 400)
    assert places(found) == [(109, 64, 1)]


@pytest.mark.parametrize(("distance", "count"), [(5, 1), (6, 2)])
def test_lower_peak_within_a_twentieth_of_the_long_side_is_suppressed(distance, count):
    values = np.zeros((100, 60))
    values[50, 20], values[50, 20 + distance] = 2, 1
    assert len(places(marks_of(values))) == count
    # In a radiograph of 200 x 60, a row of the map has two of its pixels, a column one: 5 % are 10.
    stretched = find_marks(values.astype(np.float32), (0.0, 0.0, 60.0, 200.0), 200, 60)
    assert len(places(stretched)) == 1


@pytest.mark.parametrize("level", [0.0, 1.0])
def test_map_without_contrast_has_no_mark(level):
    assert places(marks_of(np.full((20, 20), level))) == []
    assert places(marks_of(np.full((1, 1), level))) == []


def test_plateau_is_one_mark_in_its_middle():
    values = np.zeros((40, 40))
    values[10:14, 20:23] = 1
    assert places(marks_of(values)) == [(21.5, 12, 1)]


def test_of_equal_peaks_in_one_window_the_first_in_reading_order_is_kept():
    values = np.zeros((60, 60))  # the window reaches three pixels
    values[30, 32], values[30, 30], values[31, 34] = 1, 1, 1
    assert places(marks_of(values)) == [(30.5, 30.5, 1), (34.5, 31.5, 1)]


def test_slope_beside_a_peak_is_no_mark():
    column = np.arange(40.0)
    assert places(marks_of(np.tile(column, (40, 1))))[0][2] == 39
    assert len(places(marks_of(np.tile(column, (40, 1))))) == 1


def test_only_the_highest_marks_are_kept():
    values = np.zeros((200, 200))
    rows, columns = np.meshgrid(np.arange(5, 200, 25), np.arange(5, 200, 25), indexing="ij")
    values[rows, columns] = np.arange(1, 65).reshape(8, 8)
    found = marks_of(values)
    assert found.score.tolist() == list(range(64, 64 - MOST_MARKS, -1))


@pytest.mark.parametrize(("side", "reach"), [(40, 2), (100, 5), (101, 5)])
def test_marks_equal_the_peaks_of_scikit_image(side, reach):
    rng = np.random.default_rng(side)
    for _ in range(20):
        smooth = rng.random((side, side)) if rng.random() < 0.5 else rng.random((side, side)) ** 9
        values = smooth.astype(np.float32)
        expected = peak_local_max(values, min_distance=reach, exclude_border=False)
        found = marks_of(values)
        count = min(len(expected), MOST_MARKS)
        rows_columns = np.stack([found.y - 0.5, found.x - 0.5], axis=1)
        assert rows_columns.tolist() == expected[:count].tolist()


def found_by(marks: list[tuple[float, float, float]], *edges: tuple[float, ...]):
    columns = np.array(marks, np.float64).reshape(-1, 3).T.copy()
    boxes = np.array(edges, np.float64).reshape(-1, 4)
    return detections(Marks(*columns), boxes)


def test_box_has_the_score_of_its_highest_mark_and_further_ones_count_for_nothing():
    found = found_by([(1, 1, 9), (1.5, 1, 8), (5, 5, 7)], (0, 0, 2, 2))
    assert found.box_score.tolist() == [9]
    assert found.false_score.tolist() == [7]


def test_mark_in_two_boxes_finds_both_and_a_box_without_a_mark_is_missed():
    found = found_by([(2, 2, 9)], (0, 0, 3, 3), (2, 2, 4, 4), (8, 8, 9, 9))
    assert found.box_score.tolist() == [9, 9, -np.inf]
    assert found.false_score.tolist() == []


def test_image_without_boxes_or_without_marks():
    assert found_by([(1, 1, 9), (2, 2, 3)]).false_score.tolist() == [9, 3]
    assert found_by([(1, 1, 9)]).box_score.shape == (0,)
    nothing = found_by([], (0, 0, 1, 1))
    assert nothing.box_score.tolist() == [-np.inf]
    assert nothing.false_score.tolist() == []
