import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from scipy.ndimage import gaussian_filter

from elbow_core.radiographs import Preprocessing, blur, preprocess, resize
from tests.support.paths import GOLDEN
from tests.support.tiny_images import make_image

GOLDEN_PREPROCESSING = GOLDEN / "preprocess.npz"


def without_sharpening(image: np.ndarray, size: int, clip_limit: float = 2.5) -> np.ndarray:
    """Preprocess without the unsharp mask."""
    return preprocess(image, size, clip_limit=clip_limit, amount=0.0)


@pytest.mark.parametrize(
    ("name", "size", "sigma"),
    [("elbow_48", 48, 7.0), ("mura_48", 48, 5.0), ("elbow_112", 112, 7.0), ("elbow_80", 80, 7.0)],
)
def test_pixels_are_the_golden_ones(name, size, sigma):
    with np.load(GOLDEN_PREPROCESSING) as golden:
        assert np.array_equal(preprocess(golden["image"], size, sigma=sigma), golden[name])


def test_defaults_are_the_settings_of_the_paper():
    image = make_image(0)
    explicit = preprocess(image, 64, clip_limit=2.5, grid=4, sigma=7.0, amount=2.0)
    assert np.array_equal(preprocess(image, 64), explicit)
    assert Preprocessing().model_dump() == {
        "size": 584,
        "clip_limit": 2.5,
        "grid": 4,
        "sigma": 7.0,
        "amount": 2.0,
    }


def test_settings_are_the_functions_arguments():
    settings = Preprocessing(size=64, sigma=5.0)
    image = make_image(0)
    assert np.array_equal(
        preprocess(image, **settings.model_dump()), preprocess(image, 64, sigma=5.0)
    )


@pytest.mark.parametrize("shape", [(40, 200), (200, 40), (33, 33), (300, 250), (64, 64)])
def test_result_is_square_uint8_from_any_shape(shape):
    result = preprocess(make_image(1, *shape), 64)
    assert result.shape == (64, 64)
    assert result.dtype == np.uint8


def test_input_is_not_changed():
    image = make_image(0)
    before = image.copy()
    preprocess(image, 64)
    assert np.array_equal(image, before)


def test_shrinking_averages_areas():
    image = make_image(2, 96, 64)
    blocks = image.reshape(32, 3, 32, 2).mean(axis=(1, 3))
    assert np.abs(resize(image, 32) - blocks).max() <= 0.5 + 1e-6


def test_enlarging_interpolates_and_keeps_the_ends():
    ramp = np.tile(np.linspace(0, 200, 40).astype(np.uint8), (40, 1))
    enlarged = resize(ramp, 160)
    assert (np.diff(enlarged.astype(int), axis=1) >= 0).all()
    assert (enlarged[:, 0] == 0).all()
    assert (enlarged[:, -1] == 200).all()
    assert len(np.unique(enlarged)) > 150  # Nearest neighbours would give 40 levels.


def test_axis_that_shrinks_is_averaged_while_the_other_grows():
    image = np.zeros((40, 640), np.uint8)
    image[:, ::2] = 200  # Without averaging, all samples would be light or all dark.
    assert np.abs(resize(image, 64).astype(int) - 100).max() <= 1


def test_same_size_is_unchanged():
    image = make_image(3, 64, 64)
    assert np.array_equal(resize(image, 64), image)


def test_unsharp_mask_adds_twice_the_difference_to_the_blurred_image():
    image = make_image(4, 64, 64)
    equalised = without_sharpening(image, 64)
    blurred = cv2.GaussianBlur(equalised, (0, 0), 7.0).astype(int)
    expected = np.clip(equalised + 2 * (equalised - blurred), 0, 255)
    assert np.array_equal(preprocess(image, 64), expected)
    assert (expected == 0).any()  # Saturated, not wrapped around.


@settings(max_examples=60)
@given(
    st.integers(0, 10_000),
    st.sampled_from([7.0, 5.0, 2.3, 0.3, 1.0, 40.0, 100.0]) | st.floats(0.05, 20),
    st.sampled_from([32, 33, 64, 101, 192]),
    st.booleans(),
)
def test_blur_is_bit_identical_to_opencv(seed, sigma, size, black_and_white):
    image = np.random.default_rng(seed).integers(0, 256, (size, size - 1)).astype(np.uint8)
    if black_and_white:
        image = np.where(image > 128, 255, 0).astype(np.uint8)
    assert np.array_equal(blur(image, sigma), cv2.GaussianBlur(image, (0, 0), sigma))


def test_blur_of_white_is_white():
    assert (blur(np.full((64, 64), 255, np.uint8), 7.0) == 255).all()


def test_unsharp_mask_is_the_formula_with_an_exact_gaussian_but_for_whole_grey_levels():
    image = make_image(5, 96, 96)
    equalised = without_sharpening(image, 96).astype(float)
    blurred = gaussian_filter(equalised, 7.0, mode="mirror")
    expected = np.clip(equalised + 2 * (equalised - blurred), 0, 255)
    difference = np.abs(preprocess(image, 96) - expected)
    # For 8-bit images OpenCV truncates the Gaussian at 3 sigma and rounds; the error is doubled.
    assert difference.max() < 6
    assert difference.mean() < 1


def test_local_contrast_rises_where_the_image_is_flat():
    faint = (100 + (np.indices((128, 128)).sum(axis=0) % 8)).astype(np.uint8)
    assert without_sharpening(faint, 128).std() > 2 * faint.std()


def test_lower_clip_limit_raises_contrast_less():
    faint = (100 + (np.indices((128, 128)).sum(axis=0) % 8)).astype(np.uint8)
    assert (
        without_sharpening(faint, 128, clip_limit=1.0).std()
        < without_sharpening(faint, 128, clip_limit=10.0).std()
    )


@pytest.mark.parametrize(
    "wrong", [{"size": 31}, {"clip_limit": 0.0}, {"grid": 0}, {"sigma": 0.0}, {"amount": -1.0}]
)
def test_settings_out_of_range_are_refused(wrong):
    with pytest.raises(ValidationError):
        Preprocessing(**wrong)
