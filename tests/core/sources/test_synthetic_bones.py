import numpy as np
import pytest

from elbow_core.sources.synthetic.bones import (
    CORTICAL,
    Bone,
    Patch,
    rasterise_curve,
    rasterise_polygon,
    relative_half_chord,
    render_bone,
    smooth_curve,
    split_patch,
    trabecular_texture,
)


def tube(marrow: float = 0.0) -> Patch:
    """Render a straight shaft of radius 10 mm with a cortex of 3 mm."""
    outline = np.array([(-10, -60), (-10, -60), (-10, 60), (-10, 60.0)])
    outline = np.concatenate([outline, -outline])
    profile = np.array([(-60, 10, 3, marrow), (60, 10, 3, marrow)], dtype=np.float64)
    return render_bone(Bone(outline, profile), 0.25, np.random.default_rng(0))


def across(patch: Patch) -> tuple[np.ndarray, np.ndarray]:
    x, y = patch.grid()
    return x[0], patch.depth[np.argmin(np.abs(y[:, 0]))]


def test_a_tube_attenuates_as_the_chords_through_its_wall():
    x, depth = across(tube())
    outer = np.sqrt(np.clip(100 - x**2, 0, None))
    inner = np.sqrt(np.clip(49 - x**2, 0, None))
    exact = 2 * CORTICAL * (outer - inner)
    inside = np.abs(x) < 9
    # OpenCV also fills the border pixels of a polygon, so the edge is up to a pixel outside.
    assert np.abs(depth - exact)[inside].max() < 0.2 * exact.max()


def test_the_edge_of_a_shaft_is_brighter_than_its_middle():
    x, depth = across(tube(marrow=0.5))
    assert 6 < abs(x[np.argmax(depth)]) < 8.5
    assert depth.max() > 1.5 * depth[np.argmin(np.abs(x))]
    assert depth[np.abs(x) > 11].max() == 0


def test_a_half_chord_is_zero_at_the_edge_and_the_radius_in_the_middle():
    distance = np.array([[-1.0, 0.0, 4.0, 10.0, 30.0]])
    expected = np.array([[0, 0, np.sqrt(100 - 36) / 10, 1, 1]])
    assert np.allclose(relative_half_chord(distance, np.array([[10.0]])), expected)


@pytest.mark.parametrize("closed", [True, False])
def test_a_smooth_curve_goes_through_its_points(closed):
    points = np.array([(0, 0), (4, 1), (7, -2), (3, -6.0)])
    curve = smooth_curve(points, 5, closed)
    assert len(curve) == (20 if closed else 16)
    assert np.allclose(curve[::5], points)


def test_a_filled_square_has_its_area():
    square = np.array([(2, 3), (12, 3), (12, 13), (2, 13.0)])
    inside = rasterise_polygon(square, (80, 80), (0.0, 0.0), 0.25)
    assert inside.sum() * 0.25**2 == pytest.approx(100, rel=0.1)
    assert inside[28, 28] == 1
    assert inside[70, 70] == 0


def test_a_rasterised_curve_is_on_its_line():
    line = np.array([(-5, 0), (5, 0.0)])
    patch = tube()
    _, y = patch.grid()
    mask = rasterise_curve(patch, line, 2.0)
    assert mask[np.abs(y[:, 0]) > 3].max() < 0.01
    assert mask[np.argmin(np.abs(y[:, 0]))].max() > 0.9


def test_a_split_loses_no_bone():
    patch = tube()
    region = np.array([(-50, 0), (50, 5), (50, 90), (-50, 90.0)])
    rest, fragment = split_patch(patch, region, np.random.default_rng(1))
    assert np.allclose(rest.depth + fragment.depth, patch.depth, atol=1e-6)
    _, y = patch.grid()
    assert rest.depth[y[:, 0] > 10].max() == 0
    assert fragment.depth[y[:, 0] < -10].max() == 0


def test_two_splits_of_one_bone_differ_in_their_edges():
    patch = tube()
    region = np.array([(-50, 0), (50, 0), (50, 90), (-50, 90.0)])
    first, _ = split_patch(patch, region, np.random.default_rng(1))
    second, _ = split_patch(patch, region, np.random.default_rng(2))
    assert not np.array_equal(first.depth, second.depth)


def test_trabecular_texture_has_mean_one():
    texture = trabecular_texture((200, 100), 0.4, np.random.default_rng(0))
    assert texture.shape == (200, 100)
    assert texture.mean() == pytest.approx(1, abs=0.03)
    assert 0.03 < texture.std() < 0.2
