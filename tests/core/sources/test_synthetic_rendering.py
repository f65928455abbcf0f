import numpy as np
import pytest

from elbow_core.sources.synthetic.bones import Patch
from elbow_core.sources.synthetic.elbow.hardware import PLATES, WIRES, render_plate, render_wires
from elbow_core.sources.synthetic.rendering import (
    apply_display,
    expose,
    project,
    render_marker,
    sample_frame,
)
from elbow_core.sources.synthetic.soft_tissue import render_cast, skin_distance, tissue_depth

SEEDS = range(30)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def frame(seed: int = 0, mirrored: bool = False):
    return sample_frame(160, 160.0, (0, 0), 0.0, mirrored, rng(seed))


def limb() -> list[np.ndarray]:
    return [np.array([(0, -300, 30), (0, 0, 30), (0, 300, 30.0)])]


def test_a_frame_has_the_requested_long_side_and_the_centre_near_its_middle():
    for seed in SEEDS:
        image = frame(seed)
        assert max(image.height, image.width) == 160
        assert np.all(np.abs(image.matrix[:2, 2] / (image.width, image.height) - 0.5) < 0.1)


def test_a_left_arm_mirrors_a_right_one():
    right, left = frame(3), frame(3, mirrored=True)
    point = np.array([20, 10, 1.0])
    centre = right.matrix[:2, 2]
    assert (right.matrix @ point)[0] - centre[0] == pytest.approx(
        centre[0] - (left.matrix @ point)[0]
    )
    assert (right.matrix @ point)[1] == pytest.approx((left.matrix @ point)[1])


def test_a_patch_is_projected_to_its_position_in_the_frame():
    image = frame(1)
    depth = np.zeros((41, 41), np.float32)
    depth[20, 30] = 1  # at (10, 0) mm
    projected = project(image, Patch(depth, (-20.0, -20.0), 1.0), np.eye(3))
    row, column = np.unravel_index(np.argmax(projected), projected.shape)
    expected = image.matrix @ np.array([10, 0, 1.0])
    assert abs(column - expected[0]) <= 1
    assert abs(row - expected[1]) <= 1


def test_more_depth_is_brighter_and_metal_does_not_darken_the_rest():
    image = frame(2)
    depth = np.zeros((image.height, image.width), np.float32)
    depth[:, 40:] = 1.0
    depth[:, 80:] = 2.0
    plain = expose(depth, 2.0, image, rng(5))
    assert plain[:, :30].mean() < plain[:, 50:70].mean() < plain[:, 90:].mean()
    depth[:20, :20] = 5.0
    metal = expose(depth, 2.0, image, rng(5))
    assert metal[60:, 90:].mean() == pytest.approx(plain[60:, 90:].mean(), abs=0.01)


def test_the_display_rises_with_the_exposure_and_spans_the_grey_scale():
    image = frame(0)
    ramp = np.linspace(0, 1.5, image.width, dtype=np.float32)[None].repeat(image.height, 0)
    for seed in SEEDS:
        row = apply_display(ramp, image, rng(seed))[image.height // 2].astype(int)
        middle = row[image.width // 5 : -image.width // 5]
        assert np.all(np.diff(middle) >= 0)
        assert row.max() > 190


def test_some_images_are_collimated_and_some_are_not():
    image = frame(0)
    bright = np.full((image.height, image.width), 1.0, np.float32)
    corners = [apply_display(bright, image, rng(seed))[0, 0] for seed in SEEDS]
    dark = np.mean(np.array(corners) < 60)
    assert 0.3 < dark < 0.9


def test_markers_are_often_present_and_sometimes_absent():
    present = [render_marker(frame(seed), True, rng(seed)).max() > 1 for seed in range(60)]
    assert 0.4 < np.mean(present) < 0.85


def test_the_skin_distance_is_positive_inside_the_limb_and_changes_by_1_mm_per_mm():
    image = frame(4)
    skin = skin_distance(image, limb())
    row, centre = image.height // 2, image.matrix[0, 2]
    across = skin[row]
    assert across.max() == pytest.approx(30, abs=3)
    x = np.arange(image.width) - centre
    flank = (np.abs(x) > 12) & (np.abs(x) < 45)
    assert np.abs(across - (30 - np.abs(x)))[flank].max() < 5


def test_soft_tissue_is_thickest_in_the_middle_and_zero_outside():
    skin = skin_distance(frame(4), limb())
    depth = tissue_depth(skin, 35.0, 5.0, rng())
    assert depth[skin > 25].mean() > 2 * depth[(skin > 2) & (skin < 6)].mean()
    assert np.abs(depth[skin < -5]).max() < 0.01


def test_a_cast_is_outside_the_skin_and_a_splint_on_one_side():
    skin = skin_distance(frame(4), limb())
    whole = render_cast(skin, 1.0, False, rng(1))
    wall = (skin < -4) & (skin > -8)
    assert whole[wall].mean() > 2 * whole[skin > 10].mean() > 0
    assert whole[skin < -16].max() < 0.02
    splint = render_cast(skin, 1.0, True, rng(1))
    assert splint.sum() < 0.8 * whole.sum()


@pytest.mark.parametrize(("site", "view"), sorted(PLATES))
def test_every_plate_is_metal_along_its_bone(site, view):
    blank = Patch(np.zeros((700, 200), np.float32), (-50.0, -175.0), 0.5)
    metal = render_plate(blank, site, view, rng())
    path = np.array(PLATES[site, view][1])
    _, y = metal.grid()
    ys = (y[:, 0] > path[:, 1].min() - 20) & (y[:, 0] < path[:, 1].max() + 20)
    assert metal.depth[ys].max() > 0.6
    assert metal.depth[~ys].max() == 0
    assert np.sum(metal.depth > 0.3) * 0.25 > 3 * np.ptp(path[:, 1])


@pytest.mark.parametrize(("site", "view"), sorted(WIRES))
def test_every_wire_is_thin_metal(site, view):
    blank = Patch(np.zeros((700, 200), np.float32), (-50.0, -175.0), 0.5)
    metal = render_wires(blank, site, view, rng())
    assert metal.depth.max() > 0.6
    assert 20 < np.sum(metal.depth > 0.3) * 0.25 < 900
