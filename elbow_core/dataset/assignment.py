"""Assign groups of unequal size to sets of given sizes."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

_MIN_GAIN = 1e-6


def assign_groups(
    features: Float[np.ndarray, "groups features"],
    targets: Float[np.ndarray, "sets features"],
    rng: np.random.Generator,
) -> Int[np.ndarray, " groups"]:
    """Return the set of each group; each set's sum of features is close to its target.

    A greedy pass fills the sets at the same rate, largest groups first. A local search then moves
    one group or swaps two while the squared deviation decreases. ``features`` are at least 0, and
    each group has a positive one. Ties between groups of equal features are broken at random.
    """
    remaining = targets.astype(float)
    capacity = np.maximum(remaining, 1e-9)
    order = rng.permutation(len(features))
    order = order[np.argsort(-features[order].sum(axis=1), kind="stable")]
    chosen = np.zeros(len(features), int)
    for group in order:
        # Relative to the set's size: by absolute need, the largest set would get all large groups.
        need = (remaining @ features[group]) / (capacity @ features[group])
        chosen[group] = int(np.argmax(need))
        remaining[chosen[group]] -= features[group]
    kinds, kind_of = np.unique(features, axis=0, return_inverse=True)
    _exchange(_Assignment(kind_of.reshape(-1), chosen, remaining), kinds, rng)
    return chosen


@dataclass
class _Assignment:
    """The kind of each group (groups of equal features), its set, and each set's remaining need."""

    kind_of: np.ndarray
    chosen: np.ndarray
    remaining: np.ndarray


def _exchange(state: _Assignment, kinds: np.ndarray, rng: np.random.Generator) -> None:
    sets = len(state.remaining)
    moves = np.vstack(
        [kinds, np.zeros_like(kinds[:1])]
    )  # The last kind means no group: a move without a swap.
    present = np.zeros((sets, len(moves)), int)
    np.add.at(present, (state.chosen, state.kind_of), 1)
    present[:, -1] = 1
    difference = moves[:, None] - moves[None]
    squared = 2 * (difference**2).sum(axis=-1)
    while True:
        best = (-_MIN_GAIN, 0, 0, 0, 0)
        for source in range(sets):
            for target in range(sets):
                gap = state.remaining[source] - state.remaining[target]
                change = squared + 2 * difference @ gap
                change[(present[source] == 0)[:, None] | (present[target] == 0)[None]] = np.inf
                given, taken = np.unravel_index(int(np.argmin(change)), change.shape)
                if source != target and change[given, taken] < best[0]:
                    best = (float(change[given, taken]), source, target, int(given), int(taken))
        gain, source, target, given, taken = best
        if gain == -_MIN_GAIN:
            return
        for kind, leaving, entering in ((given, source, target), (taken, target, source)):
            if kind < len(kinds):
                candidates = np.flatnonzero((state.chosen == leaving) & (state.kind_of == kind))
                state.chosen[rng.choice(candidates)] = entering
                present[leaving, kind] -= 1
                present[entering, kind] += 1
        state.remaining[source] += difference[given, taken]
        state.remaining[target] -= difference[given, taken]
