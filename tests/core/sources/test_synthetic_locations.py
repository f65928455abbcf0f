import numpy as np
import pytest

from elbow_core.dataset import Region
from elbow_core.sources.synthetic import FINDINGS, VIEWS, label_of, render_radiograph
from elbow_core.sources.synthetic.bones import Patch
from elbow_core.sources.synthetic.fractures import rigid_motion
from elbow_core.sources.synthetic.fragments import Piece
from elbow_core.sources.synthetic.limbs.rendering import render_limb
from elbow_core.sources.synthetic.locations import (
    JOINT_RADIUS,
    locate_break,
    locate_dislocation,
    locate_metal,
)
from elbow_core.sources.synthetic.rendering import Frame

# 2 pixels a millimetre; the origin of the limb is at pixel (50, 40).
FRAME = Frame(80, 100, 0.5, np.array([[2.0, 0, 50], [0, 2, 40], [0, 0, 1]]))


def line(left: int, top: int, right: int, bottom: int) -> Patch:
    """A mask on a grid of half a millimetre, whose first pixel is at (-10, -10) mm."""
    mask = np.zeros((41, 41), np.float32)
    mask[top:bottom, left:right] = 1
    return Patch(mask, (-10.0, -10.0), 0.5)


def edges(region: Region) -> tuple[float, float, float, float]:
    return region.x, region.y, region.x + region.width, region.y + region.height


def test_box_lies_around_the_line_on_both_pieces():
    # Pixel (30, 20) of the patch is at (5, 0) mm, and so at pixel (60, 40) of the image.
    mark = line(30, 20, 34, 22)
    still, moved = rigid_motion(), rigid_motion(0.0, 10.0)
    found = locate_break(
        FRAME,
        "fracture",
        [Piece(mark, still, line=mark), Piece(mark, moved, line=mark), Piece(mark, moved)],
    )
    (region,) = found
    assert region.kind == "fracture"
    assert edges(region) == (60, 40, 64, 62)


def test_box_turns_with_the_bone():
    # A quarter turn maps (x, y) to (-y, x): columns 60 to 63 of row 40 become rows of column 50.
    (region,) = locate_metal(FRAME, line(30, 20, 34, 21), rigid_motion(degrees=90.0))
    assert edges(region) == (50, 50, 51, 54)


def test_box_ends_with_the_image_and_what_is_outside_has_none():
    (region,) = locate_metal(FRAME, line(30, 20, 34, 22), rigid_motion(18.5))
    assert edges(region) == (97, 40, 100, 42)
    assert locate_metal(FRAME, line(30, 20, 34, 22), rigid_motion(40.0)) == []


def test_dislocation_is_where_both_joint_surfaces_are():
    wide = Frame(400, 400, 1.0, np.array([[1.0, 0, 200], [0, 1, 200], [0, 0, 1]]))
    (region,) = locate_dislocation(wide, rigid_motion(-15.0, 6.0))
    expected = (185 - JOINT_RADIUS, 200 - JOINT_RADIUS, 200 + JOINT_RADIUS, 206 + JOINT_RADIUS)
    assert edges(region) == pytest.approx([value + 0.5 for value in expected], abs=0.2)


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("finding", FINDINGS)
def test_regions_of_an_image_are_of_its_finding_and_within_it(finding, view):
    kinds: set[str] = set()
    for seed in range(6):
        image = render_radiograph(np.random.default_rng(seed), view, finding, 128)
        height, width = image.pixels.shape
        for region in image.regions:
            left, top, right, bottom = edges(region)
            assert 0 <= left < right <= width
            assert 0 <= top < bottom <= height
        kinds |= {region.kind for region in image.regions}
    injuries = kinds & {"fracture", "dislocation"}
    assert bool(injuries) == bool(label_of(finding)), kinds
    assert ("dislocation" in kinds) == ("dislocation" in finding)
    if finding.startswith(("treated", "healed")):
        assert f"{finding.partition('_')[0]}_fracture" in kinds
    if finding == "treated_fracture_plate":
        assert "metal" in kinds


def test_regions_are_small():
    """A box that took in the outline of a fragment would cover half of a bone."""
    shares = [
        region.width * region.height / image.pixels.size
        for seed in range(40)
        for image in [render_radiograph(np.random.default_rng(seed), "ap", FINDINGS[5], 160)]
        for region in image.regions
        if region.kind == "fracture"
    ]
    assert len(shares) >= 35
    assert np.median(shares) < 0.05
    assert max(shares) < 0.15


def test_line_of_a_limbs_break_is_dark_within_its_box():
    """The box is compared with the pixels: a wide line is darker than its surroundings."""
    darker = 0
    found = 0
    for seed in range(60):
        image = render_limb(np.random.default_rng(seed), "leg", broken=True, size=320)
        for region in image.regions:
            left, top, right, bottom = (round(value) for value in edges(region))
            if region.kind != "fracture" or min(right - left, bottom - top) < 8:
                continue
            inside = image.pixels[top:bottom, left:right].astype(float)
            found += 1
            darker += np.percentile(inside, 2) < np.median(inside) - 15
    assert found >= 15
    assert darker >= 0.8 * found
