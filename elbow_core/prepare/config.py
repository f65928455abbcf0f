"""The schema of ``configs/data/*.yaml``: the source, its preprocessing and its split."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from elbow_core.config import StrictModel
from elbow_core.dataset import SPLITS
from elbow_core.prepare.dicom_files import DicomSettings
from elbow_core.radiographs import Preprocessing
from elbow_core.sources import Source

Fraction = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=1)]


class OfficialSplit(StrictModel):
    """The split that the data set publishes."""

    method: Literal["official"] = "official"


class FractionSplit(StrictModel):
    """Patients are assigned so that each split has about its share of each class."""

    method: Literal["fractions"] = "fractions"
    train: Fraction = 0.8
    """Share of the images."""
    validation: Fraction = 0.1
    """Share of the images; 0 omits this split."""
    test: Fraction = 0.1
    """Share of the images; 0 omits this split."""
    seed: Annotated[int, Field(ge=0)] = 0
    """Another seed assigns the patients differently."""

    @model_validator(mode="after")
    def _check_sum(self) -> "FractionSplit":
        if abs(self.train + self.validation + self.test - 1) > 1e-6:
            raise ValueError(
                f"train, validation and test are {self.train}, {self.validation} and {self.test}; "
                "they must sum to 1"
            )
        if self.train == 0:
            raise ValueError("train is 0; nothing could be trained")
        return self

    def wanted(self) -> dict[str, float]:
        """Return the share of each split."""
        return {split: getattr(self, split) for split in SPLITS}


class ClassCounts(StrictModel):
    """Images of each class."""

    normal: Count
    """Images of label 0."""
    injury: Count
    """Images of label 1."""


class CountSplit(StrictModel):
    """Patients are assigned so that each split has exactly these counts, as in the paper."""

    method: Literal["counts"] = "counts"
    train: ClassCounts
    """Images of the training set."""
    validation: ClassCounts
    """Images of the validation set."""
    test: ClassCounts
    """Images of the test set."""
    seed: Annotated[int, Field(ge=0)] = 0
    """Another seed assigns the patients differently."""

    def wanted(self) -> dict[str, tuple[int, int]]:
        """Return (normal, injury) for each split."""
        counts = {"train": self.train, "validation": self.validation, "test": self.test}
        return {split: (count.normal, count.injury) for split, count in counts.items()}


Split = Annotated[OfficialSplit | FractionSplit | CountSplit, Field(discriminator="method")]


class DataConfig(StrictModel):
    """One prepared data set."""

    source: Source
    """The reader and its settings."""
    root: Path
    """The folder of the radiographs; the manifest's paths are relative to it."""
    out: Path
    """The folder to write: manifest, archive, lists of rejected files and of near-duplicates."""
    preprocess: Preprocessing = Preprocessing()
    """The preprocessing of each image."""
    split: Split = FractionSplit()
    """How patients are assigned to training, validation and test."""
    near_duplicates: Literal["report", "group", "ignore"] = "report"
    """Images of different patients that look the same: ``report`` lists them, ``group`` also keeps
    them in one split, ``ignore`` does not search for them."""
    id_key: Path | None = None
    """A file of at least 16 secret bytes: the ids of images, patients and studies, and the paths of
    files, become keyed hashes, so that no output contains a name."""
    private_paths: Path | None = None
    """With id_key: the table that leads from hashed paths back to files, not to be shared; by
    default beside the key."""
    dicom: DicomSettings = DicomSettings()
    """What the tags of DICOM files decide: who is who, view, attributes, which files are used."""
    corrections: Path | None = None
    """A file of corrected labels from a label audit (`python -m elbow_core.evaluation.labels`); its
    ids are those of the prepared data that were audited."""
    unsure: Literal["keep", "leave_out"] = "keep"
    """An image whose label the corrections call unsure keeps it, or is left out."""
    workers: Annotated[int, Field(ge=0, le=256)] = 2
    """Processes that decode; 0 uses the main process. The result does not depend on it."""
    strict: bool = False
    """A file that cannot be read or has two labels stops the run; otherwise it is listed in
    rejected.csv."""

    @model_validator(mode="after")
    def _check_grouping(self) -> "DataConfig":
        if self.near_duplicates == "group" and self.split.method == "official":
            raise ValueError(
                "near_duplicates is group and split.method official; an official split is not "
                "changed, so set near_duplicates: report, or split by fractions or counts"
            )
        return self

    @model_validator(mode="after")
    def _check_key(self) -> "DataConfig":
        if self.dicom.identity and self.id_key is None:
            raise ValueError(
                "dicom.identity is true, which reads patients' ids, so id_key must be set; make a "
                "key with: head -c 32 /dev/urandom > id.key, keep it secret, and set id_key: id.key"
            )
        if self.private_paths is not None and self.id_key is None:
            raise ValueError("private_paths is set, but paths are hidden with id_key alone")
        return self

    @model_validator(mode="after")
    def _check_unsure(self) -> "DataConfig":
        if self.unsure == "leave_out" and self.corrections is None:
            raise ValueError("unsure is leave_out without corrections; give the file too")
        return self

    @property
    def identity_from_tags(self) -> bool:
        """Whether patients and studies are those of DICOM tags."""
        return self.id_key is not None and self.dicom.identity is not False
