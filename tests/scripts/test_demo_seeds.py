import numpy as np
import pytest
from scipy.stats import norm

from elbow_core.evaluation import write_predictions
from elbow_core.evaluation.statistics import auroc
from elbow_core.evaluation.statistics.differences import delong
from scripts.demo import MODELS, NETWORKS, Demo
from scripts.demo_seeds import Seed, compare, pooled, table
from tests.support.scores import predictions_of, simulated_scores

AREAS = {str(name): 0.9 for name in MODELS}


def seed_of(number: int, difference: float, error: float) -> Seed:
    return Seed(
        number, 100, AREAS, dict.fromkeys(NETWORKS, difference), dict.fromkeys(NETWORKS, error)
    )


@pytest.fixture
def paths(tmp_path):
    """Scores of four models on the same 80 images of 40 patients; the ensemble is their mean."""
    labels, first = simulated_scores(0, 80)
    chance = np.random.default_rng(1)
    scores = {name: np.clip(first + chance.normal(0, 0.3, 80), 0, 1) for name in NETWORKS}
    scores["ensemble"] = np.mean(list(scores.values()), axis=0)
    names = [f"i{number:02d}" for number in range(80)]
    patients = [f"p{number // 2:02d}" for number in range(80)]
    found = {}
    for name, values in scores.items():
        found[name] = tmp_path / f"{name}.csv"
        write_predictions(found[name], predictions_of(names, patients, names, labels, values))
    return labels, scores, found


def test_seed_has_the_areas_and_delongs_difference_by_patient(paths):
    labels, scores, found = paths
    seed = compare(7, found)
    assert (seed.seed, seed.images) == (7, 80)
    for name, values in scores.items():
        assert seed.auroc[name] == pytest.approx(auroc(labels, values))
    expected = delong(labels, scores["ensemble"], scores["convnext"], np.arange(80) // 2)
    assert seed.difference["convnext"] == pytest.approx(expected.estimate)
    z = expected.estimate / seed.error["convnext"]
    assert 2 * norm.sf(abs(z)) == pytest.approx(expected.p, rel=1e-6)
    assert seed.wins == all(
        auroc(labels, scores["ensemble"]) > auroc(labels, scores[name]) for name in NETWORKS
    )


def test_seeds_are_pooled_by_the_inverse_of_their_variances():
    """Two differences, 0.02 with error 0.01 and 0.05 with error 0.02: by hand."""
    mean, low, high, p = pooled([seed_of(0, 0.02, 0.01), seed_of(1, 0.05, 0.02)], "convnext")
    assert mean == pytest.approx((0.02 / 0.01**2 + 0.05 / 0.02**2) / 12500)
    error = 12500**-0.5
    assert (low, high) == pytest.approx((mean - 1.959964 * error, mean + 1.959964 * error))
    assert p == pytest.approx(2 * norm.sf(mean / error))


def test_table_says_in_which_seeds_the_ensemble_is_above_all():
    lines = table([seed_of(0, 0.02, 0.01), seed_of(1, -0.01, 0.01)]).splitlines()
    assert lines[2] == "| 0 | 100 | 0.900 | 0.900 | 0.900 | 0.900 | yes |"
    assert lines[3].endswith("| no |")
    assert lines[-1] == "| convnext | +0.0050 (-0.0089 to +0.0189) | 0.48 |"


def test_another_seed_writes_into_folders_of_its_own():
    plain, other = Demo(), Demo(3)
    assert plain.train("convnext")[-1] == "--resume"
    command = " ".join(other.fuse())
    assert "--run runs/demo_3/ensemble" in command
    assert "--init.efficientnetv2_s runs/demo_3/efficientnet" in command
    assert "--source.seed 32" in " ".join(other.prepare("mura"))
    assert plain.predictions("convnext") != other.predictions("convnext")
