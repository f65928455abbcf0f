import numpy as np
import pytest

from elbow_core.sources.synthetic import FINDINGS, VIEWS, render_radiograph
from elbow_core.sources.synthetic.elbow.anatomy import sample_anatomy
from elbow_core.sources.synthetic.elbow.radiograph import PARTS

SIZE = 128


def rng(*key: int) -> np.random.Generator:
    return np.random.default_rng([17, *key])


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("finding", FINDINGS)
def test_each_finding_in_each_view_shows_bone_and_air(finding, view, part):
    for number in range(3):
        image = render_radiograph(rng(number), view, finding, SIZE, part).pixels
        assert image.dtype == np.uint8
        assert max(image.shape) == SIZE
        assert min(image.shape) >= 0.7 * SIZE
        dark, bright = np.percentile(image, (1, 99))
        assert bright - dark > 90
        assert image.std() > 20


def test_the_same_state_gives_the_same_pixels_and_another_does_not():
    first = render_radiograph(rng(1), "ap", "dislocation", SIZE).pixels
    assert np.array_equal(first, render_radiograph(rng(1), "ap", "dislocation", SIZE).pixels)
    other = render_radiograph(rng(2), "ap", "dislocation", SIZE).pixels
    assert first.shape != other.shape or not np.array_equal(first, other)


def test_one_patient_has_the_same_anatomy_in_every_image():
    anatomy = sample_anatomy(rng(5))
    again = render_radiograph(rng(6), "ap", "normal", SIZE, anatomy=anatomy).pixels
    assert np.array_equal(
        again, render_radiograph(rng(6), "ap", "normal", SIZE, anatomy=anatomy).pixels
    )
    other = render_radiograph(rng(6), "ap", "normal", SIZE, anatomy=sample_anatomy(rng(7))).pixels
    assert again.shape != other.shape or not np.array_equal(again, other)


@pytest.mark.parametrize("bad", [{"view": "oblique"}, {"finding": "sprain"}, {"part": "knee"}])
def test_an_unknown_name_is_named_in_the_error(bad):
    request = {"view": "ap", "finding": "normal", "part": "elbow"} | bad
    with pytest.raises(ValueError, match=next(iter(bad.values()))):
        render_radiograph(rng(0), request["view"], request["finding"], SIZE, request["part"])
