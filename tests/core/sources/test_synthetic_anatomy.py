from dataclasses import replace

import numpy as np
import pytest

from elbow_core.sources.synthetic.elbow.anatomy import BONES, render_bones, sample_anatomy
from elbow_core.sources.synthetic.elbow.outlines import OUTLINES

RESOLUTION = 0.6


def anatomy(growth_plates: float = 0.0):
    return replace(sample_anatomy(np.random.default_rng(4)), growth_plates=growth_plates)


def joint_distance(view: str, bone: str, other: str) -> float:
    """Return the smallest distance (mm) between two outlines near the joint."""
    first, second = OUTLINES[bone, view], OUTLINES[other, view]
    first, second = (points[np.abs(points[:, 1]) < 60] for points in (first, second))
    return float(np.hypot(*(first[:, None] - second[None]).transpose(2, 0, 1)).min())


@pytest.mark.parametrize("view", ["ap", "lateral"])
def test_the_radius_faces_the_capitellum_across_a_joint_space(view):
    assert 1.0 < joint_distance(view, "radius", "humerus") < 6.0


def test_the_trochlear_notch_is_concentric_with_the_trochlea():
    ulna = OUTLINES["ulna", "lateral"]
    distance = np.hypot(*ulna.T)
    assert np.sum(np.abs(distance - 13.6) < 0.5) >= 6
    assert distance.min() > 12.5


def test_the_anterior_humeral_line_crosses_the_capitellum():
    humerus = OUTLINES["humerus", "lateral"]
    front = humerus[(humerus[:, 1] < -40) & (humerus[:, 1] > -100), 0].max()
    capitellum = humerus[np.abs(humerus[:, 1]) < 6, 0]
    assert capitellum.min() < front < capitellum.max()


def test_the_radial_line_meets_the_capitellum():
    radius = OUTLINES["radius", "lateral"]
    neck = radius[(radius[:, 1] > 14) & (radius[:, 1] < 32)]
    assert abs(neck[:, 0].mean()) < 4


@pytest.mark.parametrize("view", ["ap", "lateral"])
def test_one_patient_has_the_same_bones_each_time(view):
    first = render_bones(anatomy(), view, 100.0, RESOLUTION)
    second = render_bones(anatomy(), view, 100.0, RESOLUTION)
    assert set(first) == set(BONES)
    for name in BONES:
        assert np.array_equal(first[name].depth, second[name].depth)


@pytest.mark.parametrize("view", ["ap", "lateral"])
def test_open_growth_plates_are_lucent_lines_near_the_joint(view):
    closed = render_bones(anatomy(0.0), view, 100.0, RESOLUTION)
    opened = render_bones(anatomy(1.0), view, 100.0, RESOLUTION)
    for name in ("humerus", "radius"):
        removed = closed[name].depth - opened[name].depth
        _, y = closed[name].grid()
        assert removed.max() > 0.15
        assert np.abs(removed[np.abs(y[:, 0]) > 40]).max() < 1e-6


@pytest.mark.parametrize("view", ["ap", "lateral"])
def test_bones_extend_to_the_requested_reach(view):
    for name, patch in render_bones(anatomy(), view, 150.0, RESOLUTION).items():
        _, y = patch.grid()
        rows = np.abs(y[patch.depth.max(axis=1) > 0.1])
        assert rows.max() == pytest.approx(150, abs=8), name


def test_thin_cortex_and_thin_marrow_attenuate_less():
    strong = render_bones(replace(anatomy(), cortex=1.2, density=1.3), "ap", 80.0, RESOLUTION)
    weak = render_bones(replace(anatomy(), cortex=0.75, density=0.7), "ap", 80.0, RESOLUTION)
    for name in BONES:
        assert weak[name].depth.mean() < 0.9 * strong[name].depth.mean()
