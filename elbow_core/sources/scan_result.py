"""The result of scanning a data set: rows of the manifest and rejected files."""

from dataclasses import dataclass

from elbow_core.dataset import ManifestRow


@dataclass(frozen=True, slots=True)
class Rejection:
    """A file that is not used, by its path relative to the data root, and the reason.

    ``contradiction`` marks a file for which the data set states both labels: it is a fault of the
    data, whereas other files of a scan are left out by their name, their place or the settings.
    """

    path: str
    reason: str
    contradiction: bool = False


@dataclass(frozen=True, slots=True)
class ScanResult:
    """The images and the rejected files of a data set."""

    rows: list[ManifestRow]
    rejected: list[Rejection]
