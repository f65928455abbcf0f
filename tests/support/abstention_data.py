"""Validation predictions of dependent images, and populations whose shares are known exactly."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from elbow_core.evaluation import AbstentionRecord, Predictions, abstain, write_predictions
from elbow_core.evaluation.abstention import CertifiedAnswer
from tests.support.commands import status_of

OPTIONS = ("--missed", "0.05", "--false-alarms", "0.1")


@dataclass(frozen=True)
class Population:
    """Patients, each as likely as any other; an image that a patient does not have is nan."""

    labels: np.ndarray
    scores: np.ndarray

    def study(self, generator: np.random.Generator, patients: int) -> tuple[np.ndarray, ...]:
        """Draw patients independently; return label, score and patient of each image."""
        drawn = generator.integers(0, len(self.labels), patients)
        labels, scores = self.labels[drawn], self.scores[drawn]
        patient, _ = np.nonzero(~np.isnan(scores))
        present = ~np.isnan(scores)
        return labels[present], scores[present], patient

    def shares(self, normal_below: float, injury_from: float, unit: str) -> tuple[float, float]:
        """Return the true share of wrong ones among the images of each answer; nan for none."""
        present = ~np.isnan(self.scores)
        weight = present / (present.sum(axis=1, keepdims=True) if unit == "patient" else 1)
        found = []
        with np.errstate(invalid="ignore"):
            for called, label in (
                (self.scores < normal_below, 0),
                (self.scores >= injury_from, 1),
            ):
                wrong = called & (self.labels != label)
                total = weight[called].sum()
                found.append(weight[wrong].sum() / total if total else np.nan)
        return found[0], found[1]


def population(patients: int, most_images: int, seed: int) -> Population:
    """Make patients whose images depend on each other and whose injured ones have more images.

    The share of missed injuries is not monotone: some injuries look very normal.
    """
    generator = np.random.default_rng(seed)
    injured = generator.random(patients) < 0.4
    images = 1 + generator.binomial(most_images - 1, np.where(injured, 0.6, 0.4))
    habit = generator.normal(0, 1.0, (patients, 1))
    logit = np.where(injured, 2.0, -2.0)[:, None] + habit
    logit = logit + generator.normal(0, 1.2, (patients, most_images))
    hidden = (generator.random(patients) < 0.03) & injured
    logit[hidden] -= 7
    scores = 1 / (1 + np.exp(-logit))
    scores[np.arange(most_images) >= images[:, None]] = np.nan
    labels = np.repeat(injured.astype(np.int64)[:, None], most_images, axis=1)
    return Population(labels, scores)


def predictions_of(
    labels: np.ndarray,
    scores: np.ndarray,
    patients: np.ndarray,
    model: str = "network",
    prefix: str = "v",
) -> Predictions:
    """Return predictions of named images and patients."""
    return Predictions(
        image_id=np.array([f"{prefix}{row}" for row in range(labels.size)]),
        patient_id=np.array([f"{prefix}p{patient}" for patient in patients]),
        study_id=np.array([""] * labels.size),
        label=labels.astype(np.int64),
        score=scores.astype(np.float64),
        prediction=(scores >= 0.5).astype(np.int64),
        model=model,
    )


def clear_predictions(
    patients: int = 400, prefix: str = "v", model: str = "network", seed: int = 0
) -> Predictions:
    """Return predictions of two images a patient, for which both answers are certified."""
    generator = np.random.default_rng(seed)
    patient = np.repeat(np.arange(patients), 2)
    labels = patient % 2
    scores = np.clip(generator.normal(0.15 + 0.7 * labels, 0.12), 0, 1)
    return predictions_of(labels, scores, patient, model, prefix)


def record(
    normal_below: float | None, injury_from: float | None, model: str = "network"
) -> AbstentionRecord:
    """Return a record with two thresholds; None for an answer that is never given."""

    def answer(threshold: float | None) -> CertifiedAnswer | None:
        if threshold is None:
            return None
        return CertifiedAnswer(threshold=threshold, images=100, wrong=1, p=0.001, level=0.0025)

    return AbstentionRecord(
        abstention_version=1,
        model=model,
        most_missed=0.05,
        most_false_alarms=0.1,
        confidence=0.95,
        most_images=None,
        normal=answer(normal_below),
        injury=answer(injury_from),
        patients=200,
        images=400,
        injured=150,
        predictions_sha256="0" * 64,
    )


def write_chosen(folder: Path) -> Path:
    """Write predictions of both sets and, by the command, the thresholds chosen on validation."""
    write_predictions(folder / "validation.csv", clear_predictions())
    write_predictions(folder / "test.csv", clear_predictions(150, "t", seed=1))
    out = folder / "abstention.json"
    assert status_of(abstain, str(folder / "validation.csv"), *OPTIONS, "--out", str(out)) == 0
    return folder
