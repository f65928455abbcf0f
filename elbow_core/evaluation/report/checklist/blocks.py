"""The checklist as a document: each guideline's items with the facts that answer them."""

from collections.abc import Mapping, Sequence
from typing import Any

from elbow_core.evaluation.report.checklist.items import CLAIM, TRIPOD_AI
from elbow_core.evaluation.report.checklist.metrics_facts import metrics_facts
from elbow_core.evaluation.report.checklist.places import PLACES, Fact
from elbow_core.evaluation.report.checklist.report_facts import report_facts
from elbow_core.evaluation.report.checklist.run_facts import run_facts
from elbow_core.evaluation.report.content import ReportContent
from elbow_core.evaluation.report.rendering import Block, Heading, Paragraph, Table

FOR_AUTHOR, NOWHERE = "For the authors.", "–"
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


def checklist_blocks(
    content: ReportContent,
    metrics: Mapping[str, Any],
    run: Mapping[str, Any],
    evidence: Mapping[str, Sequence[Fact]],
) -> list[Block]:
    """Return the checklist as blocks, one table per guideline.

    Args:
        content: of the report.
        metrics: the same as its metrics.json.
        run: from `read_run`.
        evidence: from `read_evidence`.
    """
    own = {**report_facts(content), **metrics_facts(metrics), **run_facts(run)}
    facts = {name: [Fact(text, PLACES[name])] for name, text in own.items() if text}
    for name, further in evidence.items():
        facts[name] = [*facts.get(name, ()), *further]
    blocks: list[Block] = [
        Paragraph(
            "Filled from the files of the run, its report and the further results given; the items "
            "are in our own words. The files may answer an item only in part. This helps the "
            "author, who is responsible for every line, and does not replace the guidelines."
        )
    ]
    for name, source, items in GUIDELINES:
        rows = tuple((number, request, *_answer(names, facts)) for number, request, names in items)
        answered = sum(row[2] != FOR_AUTHOR for row in rows)
        whole = len({number.rstrip("abcdefg") for number, _, _ in items})
        parts = f", in {len(rows)} parts" if len(rows) > whole else ""
        blocks += [
            Heading(2, name),
            Paragraph(f"{source} {whole} items{parts}; the files address {answered}."),
            Table(
                f"{name} items",
                ("Item", "Asks for", "From the files", "Where"),
                rows,
                text_columns=(1, 2, 3),
            ),
        ]
    return blocks


def _answer(names: Sequence[str], facts: Mapping[str, Sequence[Fact]]) -> tuple[str, str]:
    """Return the sentences that answer an item, and the places, each once."""
    found = [fact for name in names for fact in facts.get(name, ())]
    if not found:
        return FOR_AUTHOR, NOWHERE
    places = dict.fromkeys(place for fact in found for place in fact.where.split("; "))
    return " ".join(fact.text for fact in found), "; ".join(places)
