import cv2
import numpy as np
import pytest
from pydantic import ValidationError

from elbow_core.radiographs import NO_AUGMENTATION, Augmentation, apply_affine, sample_affine
from tests.support.tiny_images import make_image


def only(**changes) -> Augmentation:
    """Return an augmentation with only these ranges."""
    return Augmentation(**(NO_AUGMENTATION.model_dump() | changes))


def sample_many(augmentation: Augmentation, count: int = 2000, size: int = 101) -> np.ndarray:
    rng = np.random.default_rng(0)
    return np.stack([sample_affine(rng, size, augmentation) for _ in range(count)])


def shifts(matrices: np.ndarray, size: int) -> np.ndarray:
    """Return the translation of the centre by each matrix, as a fraction of the size."""
    centre = np.array([(size - 1) / 2, (size - 1) / 2, 1])
    return (matrices @ centre - centre[:2]) / size


def test_defaults_are_those_of_the_paper():
    assert Augmentation().model_dump() == {
        "rotation": (-60.0, 60.0),
        "flip": 0.75,
        "scale": (0.85, 1.1),
        "translation": (0.02, 0.12),
    }


def test_no_augmentation_is_exactly_the_identity():
    matrix = sample_affine(np.random.default_rng(0), 64, NO_AUGMENTATION)
    assert np.array_equal(matrix, [[1, 0, 0], [0, 1, 0]])
    image = make_image(0)
    assert np.array_equal(apply_affine(image, matrix), image)


def test_flip_alone_mirrors_exactly():
    image = make_image(0, 64, 64)
    matrix = sample_affine(np.random.default_rng(0), 64, only(flip=1.0))
    assert np.array_equal(apply_affine(image, matrix), image[:, ::-1])


def test_rotation_by_90_degrees_is_anticlockwise_and_exact():
    image = make_image(0, 65, 65)
    matrix = sample_affine(np.random.default_rng(0), 65, only(rotation=(90.0, 90.0)))
    assert np.array_equal(apply_affine(image, matrix), np.rot90(image))


def test_matrix_of_rotation_and_scale_equals_opencvs():
    matrix = sample_affine(
        np.random.default_rng(0), 101, only(rotation=(25.0, 25.0), scale=(1.1, 1.1))
    )
    np.testing.assert_allclose(
        matrix, cv2.getRotationMatrix2D((50, 50), 25.0, 1.1), rtol=0, atol=1e-12
    )


def test_samples_are_uniform_in_the_ranges_of_the_paper():
    matrices = sample_many(Augmentation())
    linear = matrices[:, :, :2]
    scale = np.sqrt(np.abs(np.linalg.det(linear)))
    assert scale.min() >= 0.85
    assert scale.max() <= 1.1
    np.testing.assert_allclose(np.quantile(scale, [0.25, 0.75]), [0.9125, 1.0375], atol=0.01)
    flipped = np.linalg.det(linear) < 0
    assert abs(flipped.mean() - 0.75) < 0.03
    mirror = np.where(flipped, -1, 1)
    angle = np.rad2deg(np.arctan2(-linear[:, 1, 0] * mirror, linear[:, 0, 0] * mirror))
    assert np.abs(angle).max() <= 60
    np.testing.assert_allclose(np.quantile(angle, [0.25, 0.5, 0.75]), [-30, 0, 30], atol=3)
    distance = shifts(matrices, 101)
    assert np.abs(distance).min() >= 0.02 - 1e-12
    assert np.abs(distance).max() <= 0.12 + 1e-12
    np.testing.assert_allclose(np.median(np.abs(distance), axis=0), 0.07, atol=0.005)
    np.testing.assert_allclose((distance > 0).mean(axis=0), 0.5, atol=0.04)


def test_samples_are_independent():
    matrices = sample_many(Augmentation())
    distance = shifts(matrices, 101)
    flipped = np.linalg.det(matrices[:, :, :2]) < 0
    scale = np.sqrt(np.abs(np.linalg.det(matrices[:, :, :2])))
    table = np.stack([flipped, scale, distance[:, 0], distance[:, 1], np.abs(distance[:, 0])])
    correlation = np.corrcoef(table) - np.eye(5)
    assert np.abs(correlation).max() < 0.08


def test_translation_scales_with_the_size():
    small = sample_affine(np.random.default_rng(5), 50, only(translation=(0.1, 0.1)))
    large = sample_affine(np.random.default_rng(5), 500, only(translation=(0.1, 0.1)))
    np.testing.assert_allclose(np.abs(small[:, 2]), 5)
    np.testing.assert_allclose(large[:, 2], 10 * small[:, 2])


def test_same_generator_state_gives_the_same_matrix_and_another_does_not():
    first, second, third = (
        sample_affine(np.random.default_rng(seed), 64, Augmentation()) for seed in (1, 1, 2)
    )
    assert np.array_equal(first, second)
    assert not np.array_equal(first, third)


def test_changing_one_range_does_not_change_the_other_samples():
    usual = sample_affine(np.random.default_rng(3), 64, only(translation=(0.02, 0.12)))
    flipped = sample_affine(np.random.default_rng(3), 64, only(translation=(0.02, 0.12), flip=1.0))
    np.testing.assert_allclose(shifts(usual[None], 64), shifts(flipped[None], 64), atol=1e-12)


def test_pixels_from_outside_are_black():
    image = np.full((64, 64), 255, np.uint8)
    moved = apply_affine(image, np.array([[1.0, 0.0, 10.0], [0.0, 1.0, 0.0]]))
    assert (moved[:, :10] == 0).all()
    assert (moved[:, 10:] == 255).all()


def test_image_keeps_its_shape_and_is_not_changed():
    image = make_image(0, 48, 40)
    image.setflags(write=False)
    moved = apply_affine(image, sample_affine(np.random.default_rng(0), 48, Augmentation()))
    assert moved.shape == (48, 40)
    assert moved.dtype == np.uint8


def test_brightness_is_not_changed_inside():
    image = np.full((101, 101), 137, np.uint8)
    for matrix in sample_many(Augmentation(), count=20):
        assert apply_affine(image, matrix)[50, 50] == 137


@pytest.mark.parametrize(
    "wrong",
    [
        {"rotation": (10.0, -10.0)},
        {"rotation": (-200.0, 0.0)},
        {"flip": 1.5},
        {"scale": (0.0, 1.0)},
        {"translation": (-0.1, 0.1)},
    ],
)
def test_invalid_ranges_are_refused(wrong):
    with pytest.raises(ValidationError):
        Augmentation(**wrong)
