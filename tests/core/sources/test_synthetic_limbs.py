"""Hands and legs of tubular bones."""

import numpy as np
import pytest

from elbow_core.sources.synthetic.bones import render_bone
from elbow_core.sources.synthetic.limbs.rendering import PARTS, break_tube, render_limb
from elbow_core.sources.synthetic.limbs.tubular_bones import (
    sample_break,
    sample_nodule,
    sample_tube,
)
from tests.core.sources.test_synthetic_statistics import LIMIT, separation, statistics_of


def rendered(count: int, size: int):
    """Images of both parts and classes in turn, with their labels."""
    labels = np.arange(count) // len(PARTS) % 2
    images = [
        render_limb(np.random.default_rng([5, number]), PARTS[number % 2], bool(label), size).pixels
        for number, label in enumerate(labels)
    ]
    return images, labels


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("broken", [False, True])
def test_the_same_state_gives_the_same_pixels(part, broken):
    one, two = (render_limb(np.random.default_rng(3), part, broken, 96).pixels for _ in range(2))
    assert np.array_equal(one, two)
    assert max(one.shape) == 96
    assert one.dtype == np.uint8
    assert np.ptp(one) > 120


def test_another_part_is_refused():
    with pytest.raises(ValueError, match="'skull' is not one of hand, leg"):
        render_limb(np.random.default_rng(0), "skull", broken=False)


def test_no_global_statistic_separates_the_classes():
    images, labels = rendered(300, 80)
    features = np.stack([statistics_of(image) for image in images])
    assert separation(features, labels, np.arange(len(labels))) <= LIMIT


def test_a_tube_is_wider_at_its_ends_and_has_dense_walls():
    patch = render_bone(sample_tube(60.0, 5.0, np.random.default_rng(1), (1.6, 1.4)), 0.25, rng())
    x, y = patch.grid()
    width = (patch.depth > 0.02).sum(1) * 0.25
    heights = y[:, 0]
    shaft, ends = (width[np.argmin(np.abs(heights - at))] for at in (30, 54))
    assert 9 < shaft < 12
    assert ends > 1.15 * shaft
    across = patch.depth[np.argmin(np.abs(heights - 30))]
    assert across.max() > 1.3 * across[np.argmin(np.abs(x[0]))]


def test_a_nodule_is_round():
    patch = render_bone(sample_nodule(7.0, rng()), 0.25, rng())
    inside = patch.depth > 0.02
    assert inside.sum() * 0.25**2 == pytest.approx(np.pi * 7**2, rel=0.25)


@pytest.mark.parametrize("seed", range(12))
def test_a_break_darkens_a_line_at_its_place_and_keeps_the_rest(seed):
    generator = np.random.default_rng(seed)
    patch = render_bone(sample_tube(60.0, 6.0, generator, (1.5, 1.5)), 0.25, generator)
    fracture = sample_break(60.0, 6.0, generator)
    pieces = break_tube(patch, fracture, np.eye(3), generator)
    left = np.maximum(sum(piece.patch.depth for piece in pieces), 0)
    lost = patch.depth - left
    assert lost.min() > -1e-4
    share = lost.sum() / patch.depth.sum()
    assert 0.0005 < share < 0.12, share
    x, y = patch.grid()
    near = np.hypot(x - fracture.position[0], y - fracture.position[1]) < 20
    assert lost[near].sum() > 0.9 * lost.sum()
    assert np.allclose(pieces[1].matrix, fracture.motion)
    moved = np.hypot(*fracture.motion[:2, 2])
    assert moved < 40


def rng() -> np.random.Generator:
    return np.random.default_rng(0)
