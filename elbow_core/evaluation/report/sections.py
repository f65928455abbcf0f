"""The order and the words of a report; every number comes from its summary."""

from collections.abc import Mapping
from typing import Any

from elbow_core.evaluation.report import tables
from elbow_core.evaluation.report.document import (
    Block,
    Gallery,
    Heading,
    Items,
    Paragraph,
    Picture,
    Table,
)

METHODS = (
    "An image is called injured where its score is at least the threshold. Figures follow "
    "scikit-learn, except that one that is undefined is shown as a dash with its reason.",
    "Intervals are 95 %. Proportions have Wilson's interval (Wilson 1927) on the effective number "
    "of images (Rao and Scott 1992); subgroup areas DeLong's on the logit scale; the rest the BCa "
    "bootstrap of patients (Efron 1987), widened for few patients (Hesterberg 2015). The "
    "calibration error's interval inverts a bootstrap test (Carpenter 1999) and is of the error "
    "without noise's share, so it may lie below the figure itself.",
    "The calibration error is the expected one over ten equal bins of P(injury).",
    "Areas are compared by DeLong's test (1988), decisions by McNemar's mid-p test (Fagerland "
    "2013), both in Obuchowski's form (1997, 1998) where a patient has several images. Holm's "
    "adjustment is over the pairs of models within a figure.",
    "Thresholds and temperature come from validation or from the released model and were not "
    "changed for these images. Bands are pointwise.",
)


def report_blocks(
    content: Mapping[str, Any],
    pictures: Mapping[str, Picture],
    galleries: Mapping[str, Gallery],
) -> list[Block]:
    """The blocks of a whole report."""
    models = content["models"]
    several_points = any(len(found["operating_points"]) > 1 for found in models.values())
    blocks: list[Block] = [Paragraph(_opening(content)), *map(Paragraph, content["notes"])]
    blocks += [
        Heading(2, "Results"),
        tables.results_table(models, tables.AS_REPORTED, "At the default threshold"),
        tables.results_table(models, tables.OTHERS, "Other figures at the default threshold"),
        tables.results_table(models, tables.OF_SCORES, "Figures of the scores"),
    ]
    missing = tables.reasons(models)
    if missing:
        blocks += [Paragraph("Not shown, and why:"), Items(missing)]
    if any("answers" in found for found in models.values()):
        blocks += [
            Heading(2, "Generated answers"),
            Paragraph(
                "What the model wrote, rather than the probabilities it gave. An answer that names "
                "neither class is unparsed and counts as wrong."
            ),
            tables.answers_table(models, "As generated"),
        ]
    blocks += [
        Heading(2, "Operating points"),
        tables.points_table(models, "Thresholds, applied to these images"),
    ]
    if not several_points:
        blocks.append(
            Paragraph(
                "Give validation predictions (--validation) for operating points chosen there."
            )
        )
    blocks += [picture for name, picture in pictures.items() if name.startswith("confusion_")]
    if "roc" in pictures:
        blocks += [
            Heading(2, "Discrimination"),
            pictures["roc"],
            pictures["precision_recall"],
        ]
    blocks += [
        Heading(2, "Calibration"),
        tables.calibration_table(models, "Slope 1 and intercept 0 are perfect"),
        pictures["calibration"],
        Heading(2, "Decision curve"),
        pictures["decision"],
        Heading(2, "Scores by label"),
        pictures["histogram"],
    ]
    if content["comparisons"]:
        blocks += [
            Heading(2, "Comparison of models"),
            tables.comparison_table(
                content["comparisons"], "First model minus second, at each one's default threshold"
            ),
        ]
    return [
        *blocks,
        *_studies(models),
        *_subgroups(models),
        *_flow(content["flow"]),
        *_worst(models, galleries),
        Heading(2, "Methods"),
        Items(METHODS),
        _inputs(content),
    ]


def _opening(content: Mapping[str, Any]) -> str:
    patients = content["patients"]
    return (
        f"{content['images']} images"
        + (f" of {patients} patients" if patients else "")
        + f": {content['injured']} injured, {content['normal']} normal. "
        + f"Intervals are 95 %, from {content['draws']} bootstrap draws (seed {content['seed']})."
    )


def _studies(models: Mapping[str, Any]) -> list[Block]:
    first = next(iter(models.values()))["studies"]
    if first is None:
        return []
    words = f"{first['studies']} studies, {first['injured']} injured: those with an injured image."
    if first["mixed"]:
        words += f" In {first['mixed']} of them other images are labelled normal."
    return [
        Heading(2, "By study"),
        Paragraph(words),
        tables.studies_table(models, "At the default threshold"),
    ]


def _subgroups(models: Mapping[str, Any]) -> list[Block]:
    blocks: list[Block] = [
        tables.subgroups_table(found, f"{model}, at the default threshold")
        for model, found in models.items()
        if found["subgroups"]
    ]
    if not blocks:
        return []
    words = (
        "Subgroups were not tested against each other; with so many, some differ by chance. An "
        "image whose finding speaks of hardware is taken to show it."
    )
    return [Heading(2, "Subgroups"), Paragraph(words), *blocks]


def _flow(flow: Mapping[str, Any]) -> list[Block]:
    steps: list[tuple[str, ...]] = []
    if flow["found"] is not None:
        steps.append(("Found", str(flow["found"])))
    if flow["rejected"] is not None:
        steps.append(("Rejected", str(flow["rejected"])))
        steps += [(f"Rejected: {row['reason']}", str(row["files"])) for row in flow["reasons"]]
    for row in flow["splits"]:
        words = f"{row['images']} ({row['injured']} injured; {row['patients']} patients)"
        steps.append((f"In the manifest: {row['split']}", words))
    if flow["used_of"] is not None and flow["used_of"] != flow["used"]:
        steps.append(("Without a score in their split", str(flow["used_of"] - flow["used"])))
    steps.append(("Used in this report", str(flow["used"])))
    return [Heading(2, "Flow of images"), Table("Images", ("Step", "Images"), tuple(steps))]


def _worst(models: Mapping[str, Any], galleries: Mapping[str, Gallery]) -> list[Block]:
    blocks: list[Block] = [
        Heading(2, "Worst errors"),
        Paragraph("Wrong at the default threshold, farthest from the label first."),
    ]
    for model, found in models.items():
        blocks.append(Heading(3, model))
        if not found["worst"]:
            blocks.append(Paragraph("No image is on the wrong side of the threshold."))
        elif model in galleries:
            blocks.append(galleries[model])
        else:
            rows = tuple(
                (row["image_id"], "injury" if row["label"] else "normal", number)
                for row in found["worst"]
                for number in [tables.number(row["score"])]
            )
            header = ("Image", "Label", "Score")
            blocks.append(Table(f"Worst errors of {model}", header, rows, words=(1,)))
    if not galleries:
        blocks.insert(2, Paragraph("Give the prepared folder (--archive) to see the images."))
    return blocks


def _inputs(content: Mapping[str, Any]) -> Table:
    rows = tuple(
        (row["file"], row["role"], str(row["rows"]), row["sha256"][:16])
        for row in content["inputs"]
    )
    return Table("Files read", ("File", "As", "Rows", "SHA-256 begins"), rows, words=(1, 3))
