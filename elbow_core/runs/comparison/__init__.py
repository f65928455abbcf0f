"""A table of runs: what differs between their configurations, and their metrics.

`find_runs` finds and reads the runs below folders, `compare` makes a `Table` of them, which
`write_csv`, `text_of` and `page_of` show.
"""

from typing import TYPE_CHECKING

import lazy_loader

if TYPE_CHECKING:
    from elbow_core.runs.comparison.finding import FoundRuns, find_runs
    from elbow_core.runs.comparison.rendering import (
        CSV_MARK,
        PAGE_MARK,
        page_of,
        text_of,
        write_csv,
    )
    from elbow_core.runs.comparison.summary import RunSummary
    from elbow_core.runs.comparison.table import Table, compare

__all__ = [
    "CSV_MARK",
    "PAGE_MARK",
    "FoundRuns",
    "RunSummary",
    "Table",
    "compare",
    "find_runs",
    "page_of",
    "text_of",
    "write_csv",
]

__getattr__, __dir__, _ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "finding": ["FoundRuns", "find_runs"],
        "rendering": ["CSV_MARK", "PAGE_MARK", "page_of", "text_of", "write_csv"],
        "summary": ["RunSummary"],
        "table": ["Table", "compare"],
    },
)
