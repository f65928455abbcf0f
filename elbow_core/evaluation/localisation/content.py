"""All numbers of the measure: each set of maps with intervals, and their differences."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float64, Int64

from elbow_core.evaluation.localisation.judging import AGREEMENT, Judged
from elbow_core.evaluation.statistics import (
    FROC_RATES,
    Resampled,
    bca,
    proportion_interval,
    resample_froc,
    resample_mean,
)

SCHEMA = 1
KIND = "localisation"

CURVE_RATES = tuple(2.0 ** (step / 4) for step in range(-12, 13))
"""False marks per image of the figure; the seven of the table are among them."""
_COMPARED = (*AGREEMENT, "froc_mean", "froc_area")
_TAILS = (0.025, 0.975)


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number with its 95 % interval; both ends are nan, with a reason, where there is none."""

    value: float
    low: float
    high: float
    reason: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return its numbers; nan becomes null, which JSON can hold."""
        numbers = {"value": self.value, "low": self.low, "high": self.high}
        written: dict[str, Any] = {
            name: None if math.isnan(number) else number for name, number in numbers.items()
        }
        return written | {"reason": self.reason}


@dataclass(frozen=True, slots=True)
class Curve:
    """A FROC curve at `CURVE_RATES`, with a pointwise 95 % band."""

    sensitivity: Float64[np.ndarray, " rates"]
    low: Float64[np.ndarray, " rates"]
    high: Float64[np.ndarray, " rates"]


@dataclass(frozen=True, slots=True)
class SetSummary:
    """The numbers of one set of maps, by measure."""

    estimates: Mapping[str, Estimate]
    curve: Curve
    marks_per_image: float
    flat: int
    equal_maxima: bool


@dataclass(frozen=True, slots=True)
class PairedDifference:
    """First set minus second in one measure, on the same images and the same bootstrap draws."""

    first: str
    second: str
    measure: str
    difference: Estimate


def froc_measure(rate: float) -> str:
    """Return the name of the sensitivity at a rate of false marks per image."""
    return f"froc_{rate:g}"


def summarise(
    judged: Sequence[Judged], pairs: Sequence[tuple[str, str]], draws: int, seed: int
) -> tuple[dict[str, SetSummary], list[PairedDifference]]:
    """Return the numbers of each set by its label, and the differences of the pairs of labels.

    All sets must be judged on the same images. The intervals are those of the BCa bootstrap over
    patients, of which those with a located image are counted. Where a share of images or boxes is 0
    or 1, the bootstrap has no spread to go by; its interval is Wilson's on their effective number.
    """
    patients = np.unique(judged[0].located_cluster).size
    resampled, summaries = {}, {}
    for maps in judged:
        of_set, curve = _resample(maps, draws, seed)
        resampled[maps.label] = of_set
        summaries[maps.label] = SetSummary(
            {
                name: estimate_of(found, patients, _clusters_of_share(name, maps))
                for name, found in of_set.items()
            },
            curve,
            maps.marks_per_image,
            maps.flat,
            maps.equal_maxima,
        )
    differences = [
        PairedDifference(
            first,
            second,
            measure,
            estimate_of(
                _difference(resampled[first][measure], resampled[second][measure]), patients
            ),
        )
        for first, second in pairs
        for measure in _COMPARED
    ]
    return summaries, differences


def _resample(maps: Judged, draws: int, seed: int) -> tuple[dict[str, Resampled], Curve]:
    resampled = {
        name: resample_mean(maps.agreement[:, column], maps.located_cluster, draws, seed)
        for column, name in enumerate(AGREEMENT)
    }
    froc = resample_froc(maps.marks, CURVE_RATES, draws, seed)
    at_rate = dict(zip(CURVE_RATES, froc.sensitivity, strict=True))
    of_table = [at_rate[rate] for rate in FROC_RATES]
    resampled |= {froc_measure(rate): at_rate[rate] for rate in FROC_RATES}
    resampled["froc_mean"] = Resampled(
        float(np.mean([found.estimate for found in of_table])),
        np.mean([found.draws for found in of_table], axis=0),
        np.mean([found.influence for found in of_table], axis=0),
    )
    resampled["froc_area"] = froc.area
    drawn = np.stack([found.draws for found in froc.sensitivity])
    # A draw without any located image has no sensitivity.
    low, high = np.nanquantile(drawn, _TAILS, axis=1)
    estimate = np.array([found.estimate for found in froc.sensitivity])
    return resampled, Curve(estimate, low, high)


def _difference(first: Resampled, second: Resampled) -> Resampled:
    return Resampled(
        first.estimate - second.estimate,
        first.draws - second.draws,
        first.influence - second.influence,
    )


def _clusters_of_share(measure: str, maps: Judged) -> Int64[np.ndarray, " n"] | None:
    """Return the patients of the images or boxes that a measure is a share of, if it is one."""
    if measure.startswith("pointing"):
        return maps.located_cluster
    if measure in map(froc_measure, FROC_RATES):
        return maps.marks.lesion_cluster
    return None


def estimate_of(
    resampled: Resampled, patients: int, clusters: Int64[np.ndarray, " n"] | None = None
) -> Estimate:
    """Return the estimate with its interval; ``clusters`` are those of what it is a share of."""
    value = resampled.estimate
    if clusters is not None and value in (0, 1):
        every = np.full(clusters.size, bool(value))
        found = proportion_interval(every, clusters, "")
    else:
        found = bca(resampled, patients, "patients with a box")
    return Estimate(value, found.low, found.high, found.reason)


def content_json(
    facts: Mapping[str, Any],
    summaries: Mapping[str, SetSummary],
    differences: Sequence[PairedDifference],
) -> dict[str, Any]:
    """Return the content of localisation.json."""
    return {
        "schema": SCHEMA,
        "kind": KIND,
        **facts,
        "sets": {
            label: {
                "measures": {name: found.to_json() for name, found in summary.estimates.items()},
                "marks_per_image": summary.marks_per_image,
                "maps_without_contrast": summary.flat,
                "maps_with_equal_maxima": summary.equal_maxima,
            }
            for label, summary in summaries.items()
        },
        "differences": [
            {
                "first": row.first,
                "second": row.second,
                "measure": row.measure,
                **row.difference.to_json(),
            }
            for row in differences
        ],
    }


def is_localisation_json(content: Any) -> bool:
    """Return whether the content of a JSON file is that of a localisation.json of ours."""
    return (
        isinstance(content, dict)
        and type(content.get("schema")) is int
        and 1 <= content["schema"] <= SCHEMA
        and content.get("kind") == KIND
        and isinstance(content.get("sets"), dict)
    )
