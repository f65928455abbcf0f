"""The result of scanning a data set: rows of the manifest and rejected files."""

from dataclasses import dataclass

from elbow_core.dataset import ManifestRow


@dataclass(frozen=True, slots=True)
class Rejection:
    """A file that is not used, by its path relative to the data root, and the reason."""

    path: str
    reason: str


@dataclass(frozen=True, slots=True)
class ScanResult:
    """The images and the rejected files of a data set."""

    rows: list[ManifestRow]
    rejected: list[Rejection]
