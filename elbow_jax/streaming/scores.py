"""From files to scores: worker processes read ahead while the network scores."""

from collections import deque
from collections.abc import Callable, Generator, Sequence
from functools import partial
from itertools import islice
from typing import Any, Protocol, runtime_checkable

import numpy as np

from elbow_core.processes import WorkerPool
from elbow_core.radiographs import Preprocessing
from elbow_jax.streaming.groups import Group, Outcome, Scores, form_groups
from elbow_jax.streaming.reading import read_image

_IN_FLIGHT = 2  # batches that an accelerator has, so that it does not wait for the next


@runtime_checkable
class Network(Protocol):
    """A network that scores batches, as `elbow_jax.scoring.Predictor` does."""

    batch_size: int

    def start(self, batch: dict[str, Any], /) -> Any:
        """Give a batch to the devices."""

    def finish(
        self, started: Any, name_of: Callable[[int], str], /
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
        """Return positions and scores of a batch that was started, and the gate's distances."""
        ...


def score_files(
    paths: Sequence[str],
    first: int,
    scores: Scores,
    network: Network,
    settings: Preprocessing,
    pool: WorkerPool,
) -> Generator[list[Outcome], None, None]:
    """Yield the outcomes of the files from number ``first`` on, in order, a group at a time.

    Files of the same content are scored once. Neither workers nor groups that were finished before
    change a score.

    Args:
        paths: of all files.
        first: files that are finished.
        scores: those of the finished files; new ones are added.
        network: the model's.
        settings: of the preprocessing.
        pool: the processes that read.

    Raises:
        UserError: if the network gives nan or an infinite number for an image, naming it.
        MachineError: if a file cannot be read or memory is short.
    """
    images = pool.map(partial(read_image, settings), islice(paths, first, None))
    groups = form_groups(images, first, settings.size, network.batch_size, scores)
    waiting: deque[tuple[Group, Any]] = deque()

    def finish() -> list[Outcome]:
        group, started = waiting.popleft()
        if started is not None:
            positions, found, distances = network.finish(started, paths.__getitem__)
            for index, number in enumerate(positions):
                distance = None if distances is None else float(distances[index])
                scores[group.digest_of(int(number))] = (float(found[index]), distance)
        return group.outcomes(scores)

    for group in groups:
        batch = {"image": group.image, "position": group.position}
        waiting.append((group, network.start(batch) if group.filled else None))
        if len(waiting) > _IN_FLIGHT:
            yield finish()
    while waiting:
        yield finish()
