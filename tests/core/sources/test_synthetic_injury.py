import numpy as np
import pytest

from elbow_core.sources.synthetic.anatomy import draw_anatomy, draw_bones
from elbow_core.sources.synthetic.injury import (
    SITES,
    break_bone,
    dislocate,
    draw_fracture,
    motion,
)

ALL_SITES = [site for part in SITES.values() for site in part if site != "both_shafts"]
VIEWS = ("ap", "lateral")
ANATOMY = draw_anatomy(np.random.default_rng(0))


@pytest.fixture(scope="module")
def bones():
    return {view: draw_bones(ANATOMY, view, 150.0, 0.6) for view in VIEWS}


def shift(moved: np.ndarray, region: np.ndarray) -> float:
    """How far (mm) the visible corners of a fragment move, on average."""
    points = np.clip(region, -30, 30)
    homogeneous = np.concatenate([points, np.ones((len(points), 1))], axis=1)
    return float(np.hypot(*((homogeneous @ moved.T)[:, :2] - points).T).mean())


def test_a_motion_keeps_lengths_and_its_pivot():
    moved = motion(3.0, -2.0, 30.0, (5, 7))
    assert np.allclose(moved[:2, :2] @ moved[:2, :2].T, np.eye(2))
    assert np.allclose(moved @ np.array([5, 7, 1]), [8, 5, 1])
    assert np.allclose(motion(degrees=90.0) @ np.array([1, 0, 1]), [0, 1, 1])


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("site", ALL_SITES)
def test_a_fragment_moves_more_the_worse_the_fracture(site, view):
    severe, mild, none = (
        [draw_fracture(site, view, severity, np.random.default_rng(n)) for n in range(20)]
        for severity in (1.0, 0.3, 0.0)
    )
    distances = [np.mean([shift(f.moved, f.region) for f in group]) for group in (severe, mild)]
    assert distances[0] > 2 * distances[1] > 0
    assert distances[0] > 3
    assert all(np.allclose(fracture.moved, np.eye(3)) for fracture in none)


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("site", ALL_SITES)
def test_a_fracture_takes_a_part_of_its_bone_and_leaves_a_part(site, view, bones):
    for number in range(5):
        rng = np.random.default_rng(number)
        fracture = draw_fracture(site, view, 0.6, rng)
        patch = bones[view][fracture.bone]
        rest, fragment = break_bone(patch, fracture, "fresh", rng)
        assert fragment.patch.depth.sum() > 0.01 * patch.depth.sum()
        assert rest.patch.depth.sum() > 0.1 * patch.depth.sum()
        assert np.allclose(rest.matrix, np.eye(3))
        assert np.allclose(fragment.matrix, fracture.moved)


@pytest.mark.parametrize("view", VIEWS)
def test_a_fresh_break_is_darker_than_a_treated_one_and_a_healed_one_is_dense(view, bones):
    def lost(stage: str) -> float:
        rng = np.random.default_rng(3)
        fracture = draw_fracture("supracondylar", view, 0.0, rng)
        pieces = break_bone(patch, fracture, stage, rng)
        return float(patch.depth.sum() - sum(piece.patch.depth.sum() for piece in pieces))

    patch = bones[view]["humerus"]
    assert lost("fresh") > 2 * lost("treated") > 0
    assert lost("healed") < 0


def test_a_healed_fracture_is_one_piece_with_its_gap_filled(bones):
    rng = np.random.default_rng(1)
    fracture = draw_fracture("humerus_shaft", "ap", 0.3, rng)
    patch = bones["ap"]["humerus"]
    (piece,) = break_bone(patch, fracture, "healed", rng)
    x, y = piece.patch.grid()
    site = np.abs(y[:, 0] + 95) < 25
    middle = np.abs(x[0]) < 4
    assert piece.patch.depth[np.ix_(site, middle)].mean(axis=1).min() > 0.25


def test_a_dislocated_forearm_is_behind_or_before_the_joint_and_never_in_it():
    for number in range(200):
        rng = np.random.default_rng(number)
        assert abs(dislocate("lateral", rng)[0, 2]) > 15
        assert np.hypot(*dislocate("ap", rng)[:2, 2]) > 10


def test_most_dislocations_are_posterior():
    signs = [dislocate("lateral", np.random.default_rng(n))[0, 2] < 0 for n in range(200)]
    assert 0.8 < np.mean(signs) < 0.98
