"""Studies of several readers, and an independent analysis of them: pseudovalues of a jackknife."""

import csv

import numpy as np
import pytest

from elbow_core.evaluation.readers import ReaderStudy
from elbow_core.evaluation.readers.simulate import simulated_study
from tests.support.paths import RADIOGRAPHS

VAN_DYKE = RADIOGRAPHS / "mrmc" / "van_dyke.csv"


def small_study(seed: int = 0, modalities: int = 2, readers: int = 4) -> ReaderStudy:
    """Eleven positive and fourteen negative cases; ratings of five levels, with many ties."""
    aurocs = [0.8, 0.9, 0.85, 0.75][:modalities]
    study = simulated_study(aurocs, readers, 11, 14, "HL", seed)
    ratings = np.floor(study.ratings / 20.5)
    return ReaderStudy(study.readers, study.modalities, study.cases, study.truth, ratings)


def van_dyke() -> tuple[np.ndarray, np.ndarray]:
    """Truth and ratings of the Van Dyke data: modalities 1 and 2, readers 1 to 5."""
    if not VAN_DYKE.is_file():
        pytest.skip("the Van Dyke data (../shared/data/mrmc) are not on this machine")
    truth, ratings = np.zeros(114, np.int64), np.full((2, 5, 114), np.nan)
    with VAN_DYKE.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            case = int(row["case"]) - 1
            ratings[int(row["modality"]) - 1, int(row["reader"]) - 1, case] = float(row["rating"])
            truth[case] = int(row["truth"])
    return truth, ratings


def area_by_pairs(truth: np.ndarray, ratings: np.ndarray) -> float:
    """The AUROC as the share of pairs in the right order; ties count half."""
    pairs = ratings[truth == 1][:, None] - ratings[truth == 0]
    return float(np.mean((pairs > 0) + 0.5 * (pairs == 0)))


def areas_without_each_case(truth: np.ndarray, ratings: np.ndarray) -> np.ndarray:
    """The AUROC of each modality and reader without each case, by deletion."""
    return np.array(
        [
            [
                [area_by_pairs(np.delete(truth, k), np.delete(row, k)) for k in range(truth.size)]
                for row in of_modality
            ]
            for of_modality in ratings
        ]
    )


def dorfman_berbaum_metz(truth: np.ndarray, ratings: np.ndarray) -> tuple[float, float]:
    """F and Hillis' degrees of freedom, from the mean squares of an ANOVA of pseudovalues.

    Reference: Hillis, Obuchowski, Schartz and Berbaum, Statistics in Medicine 24:1579 (2005).
    """
    t, r, c = ratings.shape
    areas = np.array([[area_by_pairs(truth, row) for row in rows] for rows in ratings])
    y = c * areas[..., None] - (c - 1) * areas_without_each_case(truth, ratings)

    def mean(*axes: int) -> np.ndarray:
        return y.mean(axis=tuple(axis for axis in range(3) if axis not in axes), keepdims=True)

    everything = mean()
    ms_t = r * c * np.sum((mean(0) - everything) ** 2) / (t - 1)
    by_reader = mean(0, 1) - mean(0) - mean(1) + everything
    by_case = mean(0, 2) - mean(0) - mean(2) + everything
    rest = y - mean(0, 1) - mean(0, 2) - mean(1, 2) + mean(0) + mean(1) + mean(2) - everything
    ms_tr = c * np.sum(by_reader**2) / ((t - 1) * (r - 1))
    ms_tc = r * np.sum(by_case**2) / ((t - 1) * (c - 1))
    ms_trc = np.sum(rest**2) / ((t - 1) * (r - 1) * (c - 1))
    below = ms_tr + max(ms_tc - ms_trc, 0)
    return float(ms_t / below), float(below**2 / (ms_tr**2 / ((t - 1) * (r - 1))))
