"""Coverage of each interval by simulation: the tables of docs/evaluation.md.

``python -m tests.evaluation.test_coverage`` prints the tables.
"""

import math

import numpy as np
import pytest
from scipy.special import expit
from scipy.stats import norm

from elbow_core.evaluation.statistics import binary_metrics, metric_intervals
from elbow_core.evaluation.statistics.bootstrap import resample_scores
from elbow_core.evaluation.statistics.intervals import calibration_error_interval

SIMULATIONS = 4000
PREVALENCE = 0.45
SEPARATION = 2.2  # of the classes' mean log-likelihood ratio, in standard deviations

# images, images per patient, dependence within a patient, sharpening of the log-odds
SCENARIOS = {
    "400 patients, overconfident": (400, 1, 0.0, 1.8),
    "200 patients of two, overconfident": (400, 2, 0.5, 1.8),
}


def simulate(generator, images, per_patient, dependence, sharpening):
    """Simulate binormal scores; labels and scores are equally dependent within a patient."""
    patients = images // per_patient
    cluster = np.repeat(np.arange(patients), per_patient)

    def normal() -> np.ndarray:
        shared = generator.normal(size=patients)[cluster] * math.sqrt(dependence)
        return shared + generator.normal(size=images) * math.sqrt(1 - dependence)

    labels = normal() > norm.ppf(1 - PREVALENCE)
    latent = normal() + np.where(labels, SEPARATION, -SEPARATION) / 2
    log_odds = SEPARATION * latent + math.log(PREVALENCE / (1 - PREVALENCE))
    return labels, expit(sharpening * log_odds), cluster


def coverage(scenario: str, simulations: int, draws: int = 1000) -> dict[str, float]:
    """Return each interval's share of simulations in which it contains the true metric."""
    images, per_patient, dependence, sharpening = SCENARIOS[scenario]
    population = simulate(np.random.default_rng(0), 4_000_000, 1, 0.0, sharpening)
    truth = binary_metrics(population[0], population[1])
    covered: dict[str, int] = {}
    for seed in range(simulations):
        generator = np.random.default_rng((1, seed))
        labels, scores, cluster = simulate(generator, images, per_patient, dependence, sharpening)
        intervals = metric_intervals(labels, scores, cluster, draws=draws, seed=seed)
        for name, interval in intervals.items():
            covered[name] = covered.get(name, 0) + (interval.low <= truth[name] <= interval.high)
    return {name: count / simulations for name, count in covered.items()}


def calibration_coverage(sharpening: float, simulations: int) -> tuple[float, float]:
    """Return the coverage of our calibration error interval, and of bootstrap percentiles."""
    population = simulate(np.random.default_rng(0), 4_000_000, 1, 0.0, sharpening)
    truth = binary_metrics(population[0], population[1])["ece"]
    ours = percentile = 0
    for seed in range(simulations):
        generator = np.random.default_rng((2, seed))
        labels, scores, cluster = simulate(generator, 400, 1, 0.0, sharpening)
        _, gaps = resample_scores(labels, scores, cluster, 1000, seed)
        interval = calibration_error_interval(gaps)
        ours += interval.low <= truth <= interval.high
        low, high = np.quantile(np.abs(gaps.draws).sum(axis=1), (0.025, 0.975))
        percentile += low <= truth <= high
    return ours / simulations, percentile / simulations


@pytest.mark.slow
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_coverage_of_every_interval_is_94_to_96_percent(scenario):
    found = coverage(scenario, SIMULATIONS)
    assert {name: rate for name, rate in found.items() if not 0.94 <= rate <= 0.96} == {}


if __name__ == "__main__":
    tables = [coverage(scenario, SIMULATIONS) for scenario in SCENARIOS]
    print("| metric | " + " | ".join(SCENARIOS) + " |")
    print("|---" * (len(SCENARIOS) + 1) + "|")
    for metric in tables[0]:
        print(f"| {metric} | " + " | ".join(f"{table[metric]:.1%}" for table in tables) + " |")
    print(
        "\n| log-odds too large by | calibration error | its percentile interval |\n|---|---|---|"
    )
    for factor in (0.6, 0.8, 1.0, 1.2, 1.8, 2.5):
        print("| {} | {:.1%} | {:.1%} |".format(factor, *calibration_coverage(factor, 1000)))
