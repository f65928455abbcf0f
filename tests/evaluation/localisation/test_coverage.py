"""How often the intervals of localisation contain the truth: simulated studies.

    python -m tests.evaluation.localisation.test_coverage

prints the coverage of each measure.
"""

import math

import numpy as np
import pytest

from elbow_core.evaluation.statistics import (
    FROC_RATES,
    Resampled,
    ScoredMarks,
    bca,
    resample_froc,
    resample_mean,
)

PATIENTS, STUDIES, DRAWS = 150, 400, 500
LARGE = 40_000  # patients of the study that stands for the truth
LESIONS = 0.4  # share of images with one; some have two


def study(rng: np.random.Generator, patients: int) -> tuple[ScoredMarks, np.ndarray, np.ndarray]:
    """Return marks, and for each located image its patient and two values from 0 to 1.

    A patient has one or two images, and an effect that all its scores and values share.
    """
    images = np.repeat(np.arange(patients), rng.integers(1, 3, patients))
    effect = rng.normal(0, 0.7, patients)
    lesions_of = (rng.random(images.size) < LESIONS) * rng.integers(1, 3, images.size)
    lesions = np.repeat(images, lesions_of)
    found = rng.random(lesions.size) < 0.85
    scores = np.where(found, rng.normal(1.2 + effect[lesions], 1), -np.inf)
    false_marks = np.repeat(images, rng.poisson(1.5, images.size))
    marks = ScoredMarks(
        images, scores, lesions, rng.normal(effect[false_marks] / 2, 1), false_marks
    )
    located = images[lesions_of > 0]
    shared = effect[located] + rng.normal(0, 1, located.size)
    values = [
        1 / (1 + np.exp(2 - shared - rng.normal(shift, 1, located.size))) for shift in (0.3, 0.0)
    ]
    return marks, located, np.stack(values)


def measures(
    rng: np.random.Generator, patients: int, draws: int, seed: int
) -> tuple[dict[str, Resampled], int]:
    """Return the resampled measures of one study, and its number of patients with a lesion."""
    marks, located, values = study(rng, patients)
    clusters = np.unique(located, return_inverse=True)[1].astype(np.int64)
    first, second = (resample_mean(row, clusters, draws, seed) for row in values)
    found = {
        "mean": first,
        "difference of means": Resampled(
            first.estimate - second.estimate,
            first.draws - second.draws,
            first.influence - second.influence,
        ),
    }
    froc = resample_froc(marks, FROC_RATES, draws, seed)
    chosen = zip(FROC_RATES, froc.sensitivity, strict=True)
    found |= {f"sensitivity at {rate:g}": value for rate, value in chosen if rate in (0.25, 1, 2)}
    return found | {"FROC area": froc.area}, int(clusters.max()) + 1


def truth() -> dict[str, float]:
    """Return the measures of many studies pooled by their mean; each has 1000 patients."""
    rng = np.random.default_rng(99)
    rows = [measures(rng, 1000, 1, 0)[0] for _ in range(LARGE // 1000)]
    return {name: float(np.mean([row[name].estimate for row in rows])) for name in rows[0]}


def coverage(studies: int = STUDIES) -> dict[str, float]:
    true = truth()
    rng = np.random.default_rng(0)
    hits = dict.fromkeys(true, 0)
    for number in range(studies):
        found, patients = measures(rng, PATIENTS, DRAWS, number)
        for name, value in found.items():
            interval = bca(value, patients)
            assert not math.isnan(interval.low)
            hits[name] += interval.low <= true[name] <= interval.high
    return {name: count / studies for name, count in hits.items()}


@pytest.mark.slow
def test_intervals_contain_the_truth_in_95_of_100_studies():
    for name, share in coverage().items():
        # Of 400 studies, 95 % +- 3 standard errors.
        assert 0.917 <= share <= 0.983, (name, share)


if __name__ == "__main__":
    for measured, share in coverage().items():
        print(f"{measured}: {share:.1%}")
