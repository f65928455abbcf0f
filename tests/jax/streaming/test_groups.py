"""Groups: each content in one batch, in order, and the same groups behind any finished one."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from elbow_jax.streaming.groups import Scores, form_groups
from elbow_jax.streaming.reading import ReadImage

SIZE = 32


def read(content: int) -> ReadImage:
    """Return a file of this content; 0 is one that is rejected."""
    if content == 0:
        return ReadImage(b"", None, "is empty")
    return ReadImage(bytes([content] * 32), np.full((SIZE, SIZE), content, np.uint8))


def groups_of(contents, batch_size: int, first: int = 0, scores: Scores | None = None) -> list:
    images = map(read, contents[first:])
    known = {} if scores is None else scores
    return list(form_groups(images, first, SIZE, batch_size, known))


contents = st.lists(st.integers(0, 9), min_size=1, max_size=60)


@given(contents, st.integers(1, 5))
def test_each_content_is_in_one_batch_at_its_first_file(contents, batch_size):
    groups = groups_of(contents, batch_size)
    positions = [int(one) for group in groups for one in group.position if one >= 0]
    first_files = sorted(contents.index(content) for content in set(contents) - {0})
    assert positions == first_files
    for group in groups:
        for place in range(group.filled):
            assert (group.image[place] == contents[group.position[place]]).all()
        assert (group.image[group.filled :] == 0).all()
        assert (group.position[group.filled :] == -1).all()
    assert sum(len(group.files) for group in groups) == len(contents)


@given(contents, st.integers(1, 5))
def test_groups_behind_a_finished_one_are_those_of_an_undisturbed_run(contents, batch_size):
    whole = groups_of(contents, batch_size)
    for number, group in enumerate(whole):
        known: Scores = {
            bytes([content] * 32): (0.5, None) for content in contents[: group.first] if content
        }
        rest = groups_of(contents, batch_size, group.first, known)
        assert len(rest) == len(whole) - number
        for found, expected in zip(rest, whole[number:], strict=True):
            assert (found.first, found.files) == (expected.first, expected.files)
            np.testing.assert_array_equal(found.image, expected.image)
            np.testing.assert_array_equal(found.position, expected.position)


def test_many_files_without_a_new_content_end_a_group():
    groups = groups_of([1] + [0] * 600, 2)
    assert [(len(group.files), group.filled) for group in groups] == [(256, 1), (256, 0), (89, 0)]
