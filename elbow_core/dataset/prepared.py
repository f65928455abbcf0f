"""Open a prepared directory: its archive of images and, in the same order, their rows."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from elbow_core.dataset.archive import Archive, open_archive
from elbow_core.dataset.manifest import ManifestRow, read_manifest
from elbow_core.errors import ArchiveError, ConfigError
from elbow_core.files import require_utf8_name


@dataclass(frozen=True)
class PreparedData:
    """A directory written by `elbow_core.prepare`: its images and, in the same order, its rows."""

    directory: Path
    archive: Archive
    rows: tuple[ManifestRow, ...]

    def positions(self, split: str) -> np.ndarray:
        """Return the archive positions of a split's images, int64 [N], in manifest order."""
        return np.asarray([i for i, row in enumerate(self.rows) if row.split == split], np.int64)


def open_prepared(directory: Path) -> PreparedData:
    """Open a prepared directory.

    Raises:
        ConfigError: if the directory does not exist.
        UserError: if its path is not UTF-8.
        ArchiveError: if its archive and manifest do not list the same images in the same order.
    """
    if not directory.is_dir():
        raise ConfigError(
            f"{directory}: does not exist; prepare it with "
            "`python -m elbow_core.prepare --config F`"
        )
    require_utf8_name(directory)
    archive = open_archive(directory)
    rows = tuple(read_manifest(directory / "manifest.csv"))
    if tuple(row.image_id for row in rows) != archive.ids:
        raise ArchiveError(
            f"{directory}: manifest.csv and index.json do not list the same images; prepare again"
        )
    return PreparedData(directory, archive, rows)
