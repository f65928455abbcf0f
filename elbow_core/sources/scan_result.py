"""The result of scanning a data set: rows of the manifest and rejected files."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from elbow_core.dataset import ManifestRow, Region


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
    """The images and the rejected files of a data set, and the regions of findings by path.

    ``without_patients`` is empty if the data set says whose its images are. Else each row has a
    patient of its own, and it says, for a message, why and what to do.
    """

    rows: list[ManifestRow]
    rejected: list[Rejection]
    regions: Mapping[str, Sequence[Region]] = field(default_factory=dict)
    without_patients: str = ""
