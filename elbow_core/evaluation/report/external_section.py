"""The section of a report on an external set: the model's own test set beside it."""

from collections.abc import Mapping

from elbow_core.evaluation.external import PROPORTIONS, ExternalValidation
from elbow_core.evaluation.report.rendering import Block, Heading, Paragraph, Table
from elbow_core.evaluation.report.tables import NAMES, UNDEFINED, estimate, number, p_value

EXPLAINED = (
    "Internal is the model's own test set, external one from elsewhere; both are judged at the "
    "same threshold. The sets are taken to share no patient. A difference of areas has the sum of "
    "DeLong's variances, one of proportions Newcombe's interval for independent sets (1998)."
)


def external_blocks(found: Mapping[str, ExternalValidation]) -> list[Block]:
    """Return the section; empty where no internal set was given."""
    if not found:
        return []
    blocks: list[Block] = [Heading(2, "Internal and external"), Paragraph(EXPLAINED)]
    for model, row in found.items():
        blocks += [
            _differences(row, f"{model}, at threshold {number(row.threshold)}"),
            _calibration(row, f"{model}, calibration"),
            Paragraph(
                f"{model}: recalibration was fitted on {row.fitted} external images and is shown "
                f"on the other {row.rest}, of {row.rest_patients} other patients. It changes the "
                "log-odds of the scores, no decision in this report and no area."
            ),
            _recalibrations(row, f"{model}, what recalibration would give"),
        ]
    return blocks


def _differences(row: ExternalValidation, caption: str) -> Table:
    cells = []
    for name in ("auroc", *PROPORTIONS):
        difference = row.differences[name]
        cells.append(
            (
                NAMES[name],
                number(row.internal[name]),
                number(row.external[name]),
                estimate(difference.estimate, difference.low, difference.high),
                p_value(difference.p) if name == "auroc" else UNDEFINED,
            )
        )
    header = ("Metric", "Internal", "External", "Internal minus external", "p")
    return Table(caption, header, tuple(cells))


def _calibration(row: ExternalValidation, caption: str) -> Table:
    sets = (("Internal", row.internal_calibration), ("External", row.external_calibration))
    cells = tuple(
        (
            name,
            number(of.observed_to_expected),
            *(number(value) for value in (of.intercept, of.slope, of.brier, of.ece)),
        )
        for name, of in sets
    )
    header = (
        *("Set", "Observed / expected", "In the large (intercept)"),
        *("Slope", "Brier score", "Calibration error"),
    )
    return Table(caption, header, cells)


def _recalibrations(row: ExternalValidation, caption: str) -> Table:
    cells = tuple(
        (
            way.name,
            *(number(value) for value in (way.intercept, way.slope)),
            *(
                number(value)
                for value in (
                    way.calibration.observed_to_expected,
                    way.calibration.brier,
                    way.calibration.ece,
                )
            ),
        )
        for way in row.recalibrations
    )
    header = (
        *("Scores", "Fitted intercept", "Fitted slope"),
        *("Observed / expected", "Brier score", "Calibration error"),
    )
    return Table(caption, header, cells, folded=True)
