"""The inputs and settings of a report."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from elbow_core.evaluation.abstention import AbstentionRecord
from elbow_core.evaluation.predictions import Predictions
from elbow_core.evaluation.statistics import DRAWS


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportInputs:
    """Everything that a report reads beside the predictions; each part is optional."""

    validation: Sequence[Predictions] = ()
    """Each model's predictions on its validation set: operating points and temperature."""
    internal: Sequence[Predictions] = ()
    """Each model's predictions on its own test set, where these images are an external set."""
    external: Sequence[Predictions] = ()
    """Each model's predictions on an external set, where these images are its own test set."""
    thresholds: Mapping[str, Mapping[str, float]] | None = None
    """Operating points of released models, by model and name; they precede ``validation``."""
    abstention: Mapping[str, AbstentionRecord] | None = None
    """Frozen thresholds that leave images to the reader, by model."""
    fused: Sequence[str] = ()
    """The models that combine others of the report: they are left out of the mean of scores."""
    manifest: Path | str | None = None
    """``manifest.csv``: subgroups and the flow of images."""
    rejected: Path | str | None = None
    """``rejected.csv``: the files that were not used."""
    archive: Path | str | None = None
    """A prepared folder: the images of the worst errors, and of those with a heat map."""
    maps: Sequence[Path | str] = ()
    """Folders of heat maps, each of a model of the report by its name; they need ``archive``."""
    localisation: Path | None = None
    """A localisation.json of these maps, for its table; needs ``maps``."""
    run: Path | None = None
    """A run's directory, for the checklist."""
    evidence: Sequence[Path] = ()
    """Folders of further results of the same study, for the checklist: see `read_evidence`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportSettings:
    """Title, checklist after TRIPOD+AI and CLAIM, and the draws and seed of the bootstrap."""

    title: str = ""
    checklist: bool = False
    draws: int = DRAWS
    seed: int = 0
