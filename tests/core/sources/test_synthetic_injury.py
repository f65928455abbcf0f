import numpy as np
import pytest

from elbow_core.sources.synthetic.elbow.anatomy import render_bones, sample_anatomy
from elbow_core.sources.synthetic.elbow.sites import SITES, sample_dislocation, sample_fracture
from elbow_core.sources.synthetic.fractures import rigid_motion
from elbow_core.sources.synthetic.fragments import break_bone

ALL_SITES = [site for part in SITES.values() for site in part if site != "both_shafts"]
VIEWS = ("ap", "lateral")
ANATOMY = sample_anatomy(np.random.default_rng(0))


@pytest.fixture(scope="module")
def bones():
    return {view: render_bones(ANATOMY, view, 150.0, 0.6) for view in VIEWS}


def displacement(motion: np.ndarray, region: np.ndarray) -> float:
    """Return the mean displacement (mm) of the visible corners of a fragment."""
    points = np.clip(region, -30, 30)
    homogeneous = np.concatenate([points, np.ones((len(points), 1))], axis=1)
    return float(np.hypot(*((homogeneous @ motion.T)[:, :2] - points).T).mean())


def test_a_motion_keeps_lengths_and_its_pivot():
    motion = rigid_motion(3.0, -2.0, 30.0, (5, 7))
    assert np.allclose(motion[:2, :2] @ motion[:2, :2].T, np.eye(2))
    assert np.allclose(motion @ np.array([5, 7, 1]), [8, 5, 1])
    assert np.allclose(rigid_motion(degrees=90.0) @ np.array([1, 0, 1]), [0, 1, 1])


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("site", ALL_SITES)
def test_displacement_increases_with_severity(site, view):
    severe, mild, none = (
        [sample_fracture(site, view, severity, np.random.default_rng(n)) for n in range(20)]
        for severity in (1.0, 0.3, 0.0)
    )
    distances = [
        np.mean([displacement(f.motion, f.region) for f in group]) for group in (severe, mild)
    ]
    assert distances[0] > 2 * distances[1] > 0
    assert distances[0] > 3
    assert all(np.allclose(fracture.motion, np.eye(3)) for fracture in none)


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("site", ALL_SITES)
def test_a_fracture_splits_its_bone_into_two_parts(site, view, bones):
    for number in range(5):
        rng = np.random.default_rng(number)
        fracture = sample_fracture(site, view, 0.6, rng)
        patch = bones[view][fracture.bone]
        rest, fragment = break_bone(patch, fracture, "fresh", rng)
        assert fragment.patch.depth.sum() > 0.01 * patch.depth.sum()
        assert rest.patch.depth.sum() > 0.1 * patch.depth.sum()
        assert np.allclose(rest.matrix, np.eye(3))
        assert np.allclose(fragment.matrix, fracture.motion)


@pytest.mark.parametrize("view", VIEWS)
def test_a_fresh_fracture_is_darker_than_a_treated_one_and_a_healed_one_is_dense(view, bones):
    def lost_depth(stage: str) -> float:
        rng = np.random.default_rng(3)
        fracture = sample_fracture("supracondylar", view, 0.0, rng)
        pieces = break_bone(patch, fracture, stage, rng)
        return float(patch.depth.sum() - sum(piece.patch.depth.sum() for piece in pieces))

    patch = bones[view]["humerus"]
    assert lost_depth("fresh") > 2 * lost_depth("treated") > 0
    assert lost_depth("healed") < 0


def test_a_healed_fracture_is_one_piece_with_its_gap_filled(bones):
    rng = np.random.default_rng(1)
    fracture = sample_fracture("humerus_shaft", "ap", 0.3, rng)
    patch = bones["ap"]["humerus"]
    (piece,) = break_bone(patch, fracture, "healed", rng)
    x, y = piece.patch.grid()
    site = np.abs(y[:, 0] + 95) < 25
    middle = np.abs(x[0]) < 4
    assert piece.patch.depth[np.ix_(site, middle)].mean(axis=1).min() > 0.25


def test_a_dislocated_forearm_is_posterior_or_anterior_to_the_joint():
    for number in range(200):
        rng = np.random.default_rng(number)
        assert abs(sample_dislocation("lateral", rng)[0, 2]) > 15
        assert np.hypot(*sample_dislocation("ap", rng)[:2, 2]) > 10


def test_most_dislocations_are_posterior():
    signs = [sample_dislocation("lateral", np.random.default_rng(n))[0, 2] < 0 for n in range(200)]
    assert 0.8 < np.mean(signs) < 0.98
