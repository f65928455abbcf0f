"""Mean squares and covariances of the Obuchowski-Rockette model.

The model of the accuracy of reader j with modality i is

    mu + tau_i + R_j + (tau R)_ij + e_ij

with random readers R and interactions (tau R). The errors e come from the cases: their variance is
Var; their covariance is Cov1 for one reader and two modalities, Cov2 for two readers and one
modality, Cov3 for two readers and two modalities.

Reference: Obuchowski and Rockette, Communications in Statistics - Simulation 24:285 (1995).
"""

import math
from dataclasses import dataclass

import numpy as np

from elbow_core.evaluation.statistics.multireader.accuracy import ReaderAccuracy


@dataclass(frozen=True, slots=True)
class ModalityComponents:
    """Of one modality alone: the mean square of its readers, Var and Cov2; nan with one reader."""

    ms_reader: float
    variance: float
    cov2: float


@dataclass(frozen=True, slots=True)
class ReaderComponents:
    """Mean squares, and estimates of the variances and covariances.

    What needs two readers is nan with one reader, what needs two modalities with one modality.
    ``var_reader`` and ``var_interaction`` are unbiased, so they may be negative.
    """

    modalities: int
    readers: int
    ms_modality: float
    ms_reader: float
    ms_interaction: float
    variance: float
    cov1: float
    cov2: float
    cov3: float
    single: tuple[ModalityComponents, ...]

    @property
    def var_reader(self) -> float:
        """The variance of the readers' mean accuracy, without that from the cases."""
        between = (self.ms_reader - self.ms_interaction) / self.modalities
        return between - self.cov1 + self.cov3

    @property
    def var_interaction(self) -> float:
        """The variance of the readers' differences between modalities, without the cases'."""
        return self.ms_interaction - self.variance + self.cov1 + self.cov2 - self.cov3


def reader_components(accuracy: ReaderAccuracy) -> ReaderComponents:
    """Return the mean squares and the averaged covariances of the accuracies of a study."""
    values, covariance = accuracy.values, accuracy.covariance
    modalities, readers = values.shape
    of_modality, of_reader = values.mean(axis=1), values.mean(axis=0)
    mean = values.mean()
    residual = values - of_modality[:, None] - of_reader + mean
    one_reader = np.einsum("ijkj->ik", covariance)
    one_modality = np.einsum("ijil->ijl", covariance)
    variances = np.einsum("ijij->ij", covariance)
    total, variance = covariance.sum(), variances.sum()
    pairs = {
        "cov1": (one_reader.sum() - variance, modalities * (modalities - 1) * readers),
        "cov2": (one_modality.sum() - variance, modalities * readers * (readers - 1)),
        "cov3": (
            total - one_reader.sum() - one_modality.sum() + variance,
            modalities * (modalities - 1) * readers * (readers - 1),
        ),
    }
    return ReaderComponents(
        modalities,
        readers,
        ms_modality=_ratio(readers * np.sum((of_modality - mean) ** 2), modalities - 1),
        ms_reader=_ratio(modalities * np.sum((of_reader - mean) ** 2), readers - 1),
        ms_interaction=_ratio(np.sum(residual**2), (modalities - 1) * (readers - 1)),
        variance=float(variances.mean()),
        **{name: _ratio(of, count) for name, (of, count) in pairs.items()},
        single=tuple(
            ModalityComponents(
                ms_reader=_ratio(np.sum((values[i] - of_modality[i]) ** 2), readers - 1),
                variance=float(variances[i].mean()),
                cov2=_ratio(one_modality[i].sum() - variances[i].sum(), readers * (readers - 1)),
            )
            for i in range(modalities)
        ),
    )


def _ratio(value: float | np.floating, count: int) -> float:
    return float(value) / count if count else math.nan
