"""Sets of heat maps of the same images, judged and compared with each other and two baselines."""

import dataclasses
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from elbow_core.dataset import PreparedData, open_prepared, read_regions
from elbow_core.errors import HeatMapError
from elbow_core.evaluation.heat_maps import HeatMaps, open_maps
from elbow_core.evaluation.localisation.boxes import union_area
from elbow_core.evaluation.localisation.cases import Case, case_of, cases_of
from elbow_core.evaluation.localisation.centre_prior import LABEL, CentrePrior, fit_centre_prior
from elbow_core.evaluation.localisation.content import (
    PairedDifference,
    SetSummary,
    content_json,
    summarise,
)
from elbow_core.evaluation.localisation.judging import Judged, judge_maps, judge_prior
from elbow_core.evaluation.localisation.subgroups import (
    SubgroupSummary,
    subgroups_of,
    summarise_subgroups,
)
from elbow_core.evaluation.statistics import DRAWS
from elbow_core.identity import normalise_id


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalisationSettings:
    """Title, and the draws and seed of the bootstrap."""

    title: str = ""
    draws: int = DRAWS
    seed: int = 0


DEFAULT_SETTINGS = LocalisationSettings()


@dataclass(frozen=True, slots=True)
class Facts:
    """What a report says beside the numbers of the sets."""

    title: str
    located: int
    """Injured images with a box."""
    boxes: int
    normal: int
    unlocated: int
    """Injured images without a box, which are left out."""
    contradictory: int
    """Normal images with a box, which are left out."""
    patients: int
    """Of the images that count."""
    unknown_patients: int
    """Images that count and name no patient."""
    boxes_share: float
    """Mean share of the radiograph that the boxes of a located image cover."""
    prior_images: int
    """Training images of the centre prior."""
    prior_boxes: int
    draws: int
    seed: int


@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    """Everything that a report needs; ``judged`` and ``summaries`` end with the centre prior."""

    data: PreparedData
    sets: Sequence[HeatMaps]
    cases: Sequence[Case]
    judged: Sequence[Judged]
    facts: Facts
    summaries: Mapping[str, SetSummary]
    differences: Sequence[PairedDifference]
    subgroups: Sequence[SubgroupSummary]

    def to_json(self) -> dict[str, Any]:
        """Return the content of localisation.json."""
        sets = [
            {
                "label": maps.card.label,
                **maps.card.model_dump(mode="json", exclude={"images", "format"}),
                "images": len(maps),
            }
            for maps in self.sets
        ]
        facts = dataclasses.asdict(self.facts) | {"maps": sets}
        content = content_json(facts, self.summaries, self.differences)
        return content | {"subgroups": [row.to_json() for row in self.subgroups]}


def compare_maps(
    directories: Sequence[Path], data: Path, settings: LocalisationSettings = DEFAULT_SETTINGS
) -> Comparison:
    """Judge sets of maps on the boxes of prepared data; the maps are read one at a time.

    Raises:
        HeatMapError: for maps that violate their format or do not belong together: two sets with
            one method, network and kind of weights; different images; random weights without the
            trained ones. Also for images that the prepared data lack or use for training, and where
            no image or no training image has a box.
        UserError: for damaged prepared data.
    """
    sets = [open_maps(directory) for directory in directories]
    pairs = pairs_to_compare(sets)
    prepared = open_prepared(data)
    regions = read_regions(prepared.directory, prepared.rows)
    cases = cases_of(sets, prepared.rows, regions)
    prior = fit_centre_prior(
        case_of(row, regions.get(row.image_id, ())) for row in prepared.rows if row.split == "train"
    )
    judged = [*(judge_maps(maps, cases) for maps in sets), judge_prior(prior, cases)]
    summaries, differences = summarise(judged, pairs, settings.draws, settings.seed)
    groups = summarise_subgroups(judged, subgroups_of(cases), settings.draws, settings.seed)
    facts = _facts(cases, prior, settings)
    return Comparison(prepared, sets, cases, judged, facts, summaries, differences, groups)


def pairs_to_compare(sets: Sequence[HeatMaps]) -> list[tuple[str, str]]:
    """Return the labels of the pairs: each set with its baselines, then trained ones in pairs.

    Raises `HeatMapError` if two sets have one label, or if a set of random weights lacks that of
    the trained ones.
    """
    labels = Counter(maps.card.label for maps in sets)
    for maps in sets:
        if labels[maps.card.label] > 1:
            raise HeatMapError(
                f"{maps.directory}: {maps.card.label!r} is the name of other maps too; sets must "
                "differ in method, network or weights"
            )
    trained = {
        (maps.card.method, maps.card.network): maps.card.label
        for maps in sets
        if maps.card.weights == "trained"
    }
    random = {
        (maps.card.method, maps.card.network): maps
        for maps in sets
        if maps.card.weights == "random"
    }
    for key, maps in random.items():
        if key not in trained:
            raise HeatMapError(
                f"{maps.directory}: is of random weights; give also the maps of {key[0]} on the "
                f"trained {key[1]}"
            )
    pairs = []
    for key, label in trained.items():
        pairs.append((label, LABEL))
        if key in random:
            pairs.append((label, random[key].card.label))
    return pairs + list(combinations(trained.values(), 2))


def _facts(cases: Sequence[Case], prior: CentrePrior, settings: LocalisationSettings) -> Facts:
    roles = Counter(case.role for case in cases)
    counted = [case for case in cases if case.role in ("located", "normal")]
    located = [case for case in cases if case.role == "located"]
    known = {normalise_id(case.patient_id) for case in counted} - {""}
    unknown = sum(not normalise_id(case.patient_id) for case in counted)
    shares = [union_area(case.boxes) / (case.height * case.width) for case in located]
    return Facts(
        title=settings.title or "Localisation of injuries by heat maps",
        located=roles["located"],
        boxes=sum(len(case.boxes) for case in located),
        normal=roles["normal"],
        unlocated=roles["unlocated"],
        contradictory=roles["contradictory"],
        patients=len(known) + unknown,
        unknown_patients=unknown,
        boxes_share=float(np.mean(shares)),
        prior_images=prior.images,
        prior_boxes=prior.boxes,
        draws=settings.draws,
        seed=settings.seed,
    )
