"""The checklist as a document: each guideline's items with the facts that answer them."""

from collections.abc import Mapping, Sequence
from typing import Any

from elbow_core.evaluation.report.checklist.items import CLAIM, TRIPOD_AI
from elbow_core.evaluation.report.checklist.report_facts import report_facts
from elbow_core.evaluation.report.checklist.run_facts import run_facts
from elbow_core.evaluation.report.content import ReportContent
from elbow_core.evaluation.report.rendering import Block, Heading, Paragraph, Table

FOR_AUTHOR = "For the author."
GUIDELINES = (
    (
        "TRIPOD+AI",
        "After Collins et al., TRIPOD+AI statement, BMJ 385:e078378 (2024).",
        TRIPOD_AI,
    ),
    (
        "CLAIM 2024",
        "After Tejani et al., Checklist for Artificial Intelligence in Medical Imaging: 2024 "
        "update, Radiology: Artificial Intelligence 6:e240300 (2024).",
        CLAIM,
    ),
)


def checklist_blocks(content: ReportContent, run: Mapping[str, Any]) -> list[Block]:
    """Return the checklist as blocks, one table per guideline; ``run`` is from `read_run`."""
    facts = {**report_facts(content), **run_facts(run)}
    blocks: list[Block] = [
        Paragraph(
            "Filled from the files of the run and its report; the items are in our own words. The "
            "files may answer an item only in part. This helps the author, who is responsible for "
            "every line, and does not replace the guidelines."
        )
    ]
    for name, source, items in GUIDELINES:
        rows = tuple((number, request, _answer(names, facts)) for number, request, names in items)
        answered = sum(row[2] != FOR_AUTHOR for row in rows)
        blocks += [
            Heading(2, name),
            Paragraph(f"{source} The files address {answered} of {len(rows)} items."),
            Table(
                f"{name} items", ("Item", "Asks for", "From the files"), rows, text_columns=(1, 2)
            ),
        ]
    return blocks


def _answer(names: Sequence[str], facts: Mapping[str, str]) -> str:
    found = [facts[name] for name in names if facts.get(name)]
    return " ".join(found) if found else FOR_AUTHOR
