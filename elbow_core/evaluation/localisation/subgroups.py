"""The agreement of maps and boxes by size of the finding and by body part."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float64

from elbow_core.evaluation.localisation.boxes import union_area
from elbow_core.evaluation.localisation.cases import Case
from elbow_core.evaluation.localisation.content import Estimate, estimate_of
from elbow_core.evaluation.localisation.judging import AGREEMENT, Judged
from elbow_core.evaluation.statistics import resample_mean

FEWEST = 10
"""Images that a subgroup must have to be judged; smaller ones are named."""

SIZE = "size of the finding"
BODY_PART = "body part"
_THIRDS = ("smallest third", "middle third", "largest third")


@dataclass(frozen=True, slots=True, eq=False)
class Subgroup:
    """Some of the located images: those of one body part, or with boxes of similar size."""

    attribute: str
    name: str
    members: Bool[np.ndarray, " located"]

    @property
    def images(self) -> int:
        """How many they are."""
        return int(self.members.sum())


@dataclass(frozen=True, slots=True)
class SubgroupSummary:
    """The measures of `AGREEMENT` of one set of maps on a subgroup; none where it is too small."""

    attribute: str
    name: str
    images: int
    label: str
    estimates: dict[str, Estimate]

    def to_json(self) -> dict[str, Any]:
        """Return the row of localisation.json."""
        return {
            "attribute": self.attribute,
            "name": self.name,
            "images": self.images,
            "maps": self.label,
            "measures": {name: found.to_json() for name, found in self.estimates.items()},
        }


def subgroups_of(cases: Sequence[Case]) -> list[Subgroup]:
    """Return the subgroups of the located images, in their order.

    Sizes are shares of the image that the boxes cover; they are divided at their thirds, so that no
    subgroup is chosen by its result. Equal sizes stay together. An attribute with a single value is
    left out.
    """
    located = [case for case in cases if case.role == "located"]
    shares = np.array([union_area(case.boxes) / (case.height * case.width) for case in located])
    parts = np.array([case.body_part or "unknown" for case in located])
    by_part = [Subgroup(BODY_PART, part, parts == part) for part in sorted(set(parts.tolist()))]
    by_size = list(_by_size(shares))
    return [group for groups in (by_size, by_part) if len(groups) > 1 for group in groups]


def summarise_subgroups(
    judged: Sequence[Judged], subgroups: Sequence[Subgroup], draws: int, seed: int
) -> list[SubgroupSummary]:
    """Return the measures of each set on each subgroup, with intervals over its patients."""
    return [
        SubgroupSummary(
            group.attribute,
            group.name,
            group.images,
            maps.label,
            _estimates(maps, group, draws, seed) if group.images >= FEWEST else {},
        )
        for group in subgroups
        for maps in judged
    ]


def _by_size(shares: Float64[np.ndarray, " located"]) -> Iterator[Subgroup]:
    edges = np.quantile(shares, (1 / 3, 2 / 3))
    third = np.searchsorted(edges, shares, side="left")
    for number, name in enumerate(_THIRDS):
        members = third == number
        if members.any():
            low, high = shares[members].min(), shares[members].max()
            yield Subgroup(SIZE, f"{name}, {low:.2%} to {high:.2%} of the image", members)


def _estimates(maps: Judged, group: Subgroup, draws: int, seed: int) -> dict[str, Estimate]:
    clusters = np.unique(maps.located_cluster[group.members], return_inverse=True)[1]
    clusters = clusters.astype(np.int64)
    patients = int(clusters.max()) + 1
    estimates = {}
    for column, name in enumerate(AGREEMENT):
        resampled = resample_mean(maps.agreement[group.members, column], clusters, draws, seed)
        share_of = clusters if name.startswith("pointing") else None
        estimates[name] = estimate_of(resampled, patients, share_of)
    return estimates
