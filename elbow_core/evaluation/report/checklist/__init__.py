"""A reporting checklist after TRIPOD+AI and CLAIM, filled with the facts that the files hold."""

from typing import TYPE_CHECKING

import lazy_loader

if TYPE_CHECKING:
    from elbow_core.evaluation.report.checklist.blocks import checklist_blocks
    from elbow_core.evaluation.report.checklist.evidence import read_evidence
    from elbow_core.evaluation.report.checklist.run_facts import read_run

__all__ = [
    "checklist_blocks",
    "read_evidence",
    "read_run",
]

__getattr__, __dir__, _ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "blocks": ["checklist_blocks"],
        "evidence": ["read_evidence"],
        "run_facts": ["read_run"],
    },
)
