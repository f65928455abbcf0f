"""The directory of a training run: created atomically, locked, resumed with the same settings.

`begin_run` and `resume_run` write and check its files, `lock_run` keeps a second process out,
`describe_run` is its record, `MetricsLog` its log. `ResumeRules` says what may change on resuming;
`find_data` and `locate` find what the run's configuration names from any working directory,
`naming_full_disk` and `describe_stop` say how it continues.
"""

from typing import TYPE_CHECKING

import lazy_loader

if TYPE_CHECKING:
    from elbow_core.runs.directory import CONFIG, METRICS, RECORD, begin_run, check_new, lock_run
    from elbow_core.runs.endings import describe_stop, naming_full_disk
    from elbow_core.runs.local_places import without_paths
    from elbow_core.runs.metrics_log import MetricsLog
    from elbow_core.runs.places import find_data, locate, require_data
    from elbow_core.runs.record import data_fingerprint, describe_run, read_record
    from elbow_core.runs.resuming import HARMLESS, Change, ResumeRules, check_resume, resume_run

__all__ = [
    "CONFIG",
    "HARMLESS",
    "METRICS",
    "RECORD",
    "Change",
    "MetricsLog",
    "ResumeRules",
    "begin_run",
    "check_new",
    "check_resume",
    "data_fingerprint",
    "describe_run",
    "describe_stop",
    "find_data",
    "locate",
    "lock_run",
    "naming_full_disk",
    "read_record",
    "require_data",
    "resume_run",
    "without_paths",
]

__getattr__, __dir__, _ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "directory": ["CONFIG", "METRICS", "RECORD", "begin_run", "check_new", "lock_run"],
        "endings": ["describe_stop", "naming_full_disk"],
        "local_places": ["without_paths"],
        "metrics_log": ["MetricsLog"],
        "places": ["find_data", "locate", "require_data"],
        "record": ["data_fingerprint", "describe_run", "read_record"],
        "resuming": ["HARMLESS", "Change", "ResumeRules", "check_resume", "resume_run"],
    },
)
