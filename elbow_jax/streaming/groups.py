"""Files in groups: each group fills one batch of the network, and is finished as a whole.

Where a group ends depends only on the files before it, so a command that continues behind any
finished group forms the batches of an undisturbed one.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np

from elbow_jax.streaming.reading import ReadImage

_MOST_FILES = 256  # of a group whose files are duplicates or rejected, but for a few


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a file."""

    digest: bytes
    """SHA-256 of its content; empty for a file that is rejected."""
    score: float | None
    """P(injury); None for a file that is rejected."""
    reason: str = ""
    """Why it is rejected; empty for one that is not."""
    distance: float | None = None
    """Of the input gate, above 1 for an image unlike the training images; None without a gate."""


Scores = dict[bytes, tuple[float, float | None] | None]
"""Score and distance of each content by its digest; None while the network has it."""


@dataclass(slots=True)
class Group:
    """Consecutive files and the batch of those among them that are to be scored."""

    first: int
    """The number of its first file."""
    image: np.ndarray
    """uint8 [B, S, S, 1]."""
    position: np.ndarray
    """int32 [B]: the number of each image's file, -1 for padding."""
    filled: int = 0
    """Images of the batch."""
    files: list[tuple[bytes, str]] = field(default_factory=list)
    """Digest and reason of each file."""

    def digest_of(self, number: int) -> bytes:
        """Return the digest of the file of this number."""
        return self.files[number - self.first][0]

    def outcomes(self, scores: Scores) -> list[Outcome]:
        """Return the outcomes of the files, all of whose scores are known."""
        return [
            Outcome(digest, None, reason) if reason else _scored(digest, scores[digest])
            for digest, reason in self.files
        ]


def form_groups(
    images: Iterable[ReadImage], first: int, size: int, batch_size: int, scores: Scores
) -> Iterator[Group]:
    """Yield the groups of files; each content gets into one batch only.

    Args:
        images: what was read of the files, in order.
        first: the number of the first file.
        size: of the images in pixels.
        batch_size: images in a batch.
        scores: of contents that are known; new ones are added, with None.
    """
    most_files = max(_MOST_FILES, 4 * batch_size)
    group = _empty(first, size, batch_size)
    for number, read in enumerate(images, start=first):
        group.files.append((read.digest, read.reason))
        if read.pixels is not None and read.digest not in scores:
            scores[read.digest] = None
            group.image[group.filled, ..., 0] = read.pixels
            group.position[group.filled] = number
            group.filled += 1
        if group.filled == batch_size or len(group.files) == most_files:
            yield group
            group = _empty(number + 1, size, batch_size)
    if group.files:
        yield group


def _scored(digest: bytes, found: tuple[float, float | None] | None) -> Outcome:
    assert found is not None, "the group was finished before"
    return Outcome(digest, found[0], distance=found[1])


def _empty(first: int, size: int, batch_size: int) -> Group:
    # New arrays for each group: JAX may still read those of the last.
    image = np.zeros((batch_size, size, size, 1), np.uint8)
    return Group(first, image, np.full(batch_size, -1, np.int32))
