"""The label audit: `python -m elbow_core.evaluation.labels`, from scores to doubtful labels.

Offered here: `label_quality`, by which it ranks images, and `write_audit`, which writes the page,
the ranking and the record. `elbow_core.prepare` applies the corrections that a reader saves.
"""

from typing import TYPE_CHECKING

import lazy_loader

if TYPE_CHECKING:
    from elbow_core.evaluation.labels.quality import label_quality
    from elbow_core.evaluation.labels.write import write_audit

__all__ = ["label_quality", "write_audit"]

__getattr__, __dir__, _ = lazy_loader.attach(
    __name__,
    submod_attrs={"quality": ["label_quality"], "write": ["write_audit"]},
)
