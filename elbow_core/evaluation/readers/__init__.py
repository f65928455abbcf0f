"""Studies of several readers: `python -m elbow_core.evaluation.readers` and its simulation.

Offered here: a study, its reader, and its report. The statistics are in
`elbow_core.evaluation.statistics.multireader`.
"""

from typing import TYPE_CHECKING

import lazy_loader

if TYPE_CHECKING:
    from elbow_core.evaluation.readers.reading import read_study
    from elbow_core.evaluation.readers.settings import PlanSettings, ReaderSettings
    from elbow_core.evaluation.readers.study import ReaderStudy
    from elbow_core.evaluation.readers.write import require_readers_folder, write_readers_report

__all__ = [
    "PlanSettings",
    "ReaderSettings",
    "ReaderStudy",
    "read_study",
    "require_readers_folder",
    "write_readers_report",
]

__getattr__, __dir__, _ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "reading": ["read_study"],
        "settings": ["PlanSettings", "ReaderSettings"],
        "study": ["ReaderStudy"],
        "write": ["require_readers_folder", "write_readers_report"],
    },
)
