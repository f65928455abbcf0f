"""The sections of a report: their order and their text."""

from collections.abc import Mapping, Sequence

from elbow_core.evaluation.report import tables
from elbow_core.evaluation.report.abstention import abstention_blocks
from elbow_core.evaluation.report.content import (
    ImageFlow,
    InputFile,
    MeanOfModels,
    ModelSummary,
    ReportContent,
)
from elbow_core.evaluation.report.external_section import external_blocks
from elbow_core.evaluation.report.first_screen import first_screen
from elbow_core.evaluation.report.localisation_table import (
    NOT_MEASURED,
    Rows,
    localisation_blocks,
)
from elbow_core.evaluation.report.maps_section import MapsOfModel, maps_blocks, worst_blocks
from elbow_core.evaluation.report.rendering import (
    Block,
    FigureGrid,
    Gallery,
    Heading,
    Items,
    Paragraph,
    Picture,
    Table,
)
from elbow_core.evaluation.report.study_section import study_blocks
from elbow_core.evaluation.report.subgroup_section import subgroup_blocks

METHODS = (
    "An image is called injured where its score is at least the threshold. Metrics follow "
    "scikit-learn, except that an undefined metric is shown as a dash with its reason.",
    "Intervals are 95 %. Proportions have Wilson's interval (Wilson 1927) on the effective number "
    "of images (Rao and Scott 1992); subgroup areas DeLong's on the logit scale; the rest the BCa "
    "bootstrap of patients (Efron 1987), widened for few patients (Hesterberg 2015). The "
    "calibration error's interval inverts a bootstrap test (Carpenter 1999) and is of the error "
    "without the contribution of noise, so it may lie below the metric itself.",
    "The calibration error is the expected one over ten equal bins of P(injury).",
    "Areas are compared by DeLong's test (1988), decisions by McNemar's mid-p test (Fagerland "
    "2013), both in Obuchowski's form (1997, 1998) where a patient has several images. A "
    "difference of proportions has Newcombe's interval (1998), joined from Wilson's on effective "
    "numbers where a patient has several images (Zou and Donner 2008); a difference of areas has "
    "Wald's, on the scale of Fisher's z where that would leave -1 to 1. Holm's adjustment is over "
    "the pairs of models within a metric. The first lines pick the best model on these very "
    "images, so its area is rather too high than too low.",
    "Subgroups are compared by the largest standardised difference over all pairs of groups of an "
    "attribute (Hothorn et al. 2008) against its bootstrap distribution under equality "
    "(Krishnamoorthy et al. 2007): logits of areas with Obuchowski's covariance (1997), "
    "proportions as binomial counts with the patients' correlation (Donner 1989). The interval of "
    "a gap, joined from those of its two groups (Zou and Donner 2008), holds for all pairs of the "
    "attribute at once. Holm's adjustment is over all attributes and metrics of a model. Only "
    "groups with ten patients, and so ten images, of each class that the metric needs are judged.",
    "The images of a study are joined by the mean of their logits, by their maximum, and by a "
    "logistic regression on validation studies with a ridge penalty (le Cessie and van Houwelingen "
    "1992) towards the mean of logits. Each has thresholds of its own, chosen on validation "
    "studies as those of images are.",
    "Thresholds and temperature come from validation or from the released model and were not "
    "changed for these images. Bands are pointwise.",
)


def report_blocks(
    content: ReportContent,
    pictures: Mapping[str, Picture],
    galleries: Mapping[str, Gallery],
    maps: Sequence[MapsOfModel] = (),
    measured: Rows = NOT_MEASURED,
) -> list[Block]:
    """Return the blocks of a whole report; pictures by figure name, galleries by model."""
    models = content.models
    return [
        *first_screen(content),
        *_results(models),
        Paragraph(_mean(content.mean)),
        *_answers(models),
        *_curves(pictures),
        *_operating_points(models, pictures),
        *abstention_blocks(models),
        *_scores(models, pictures),
        *_comparisons(content),
        *external_blocks(content.external),
        *study_blocks(models),
        *subgroup_blocks(models),
        *_flow(content.flow),
        *_worst(models, galleries, maps),
        *maps_blocks(maps),
        *localisation_blocks(measured),
        Heading(2, "Methods"),
        Items(METHODS),
        _inputs(content.inputs),
    ]


def _results(models: Mapping[str, ModelSummary]) -> list[Block]:
    missing = tables.reasons(models)
    return [
        Heading(2, "Results"),
        tables.results_table(models, tables.MAIN_METRICS, "At the default threshold"),
        tables.results_table(
            models, tables.FURTHER_METRICS, "Further metrics at the default threshold", folded=True
        ),
        tables.results_table(models, tables.SCORE_METRICS, "Metrics of the scores", folded=True),
        *([Paragraph("Not shown, and why:"), Items(missing)] if missing else []),
    ]


def _mean(mean: MeanOfModels) -> str:
    if mean.reason:
        return f"No mean of calibrated scores: {mean.reason}."
    *others, last = mean.of
    return (
        f"The {mean.model} is that of {', '.join(others)} and {last}: for each image the plain "
        "mean of their scores after temperature scaling. Temperatures and thresholds were chosen "
        "on validation."
    )


def _answers(models: Mapping[str, ModelSummary]) -> list[Block]:
    if all(found.answers is None for found in models.values()):
        return []
    return [
        Heading(2, "Generated answers"),
        Paragraph(
            "Decisions from the generated text instead of the scores. An answer that names neither "
            "class is unparsed and counts as wrong."
        ),
        tables.answers_table(models, "As generated"),
    ]


def _operating_points(
    models: Mapping[str, ModelSummary], pictures: Mapping[str, Picture]
) -> list[Block]:
    blocks: list[Block] = [
        Heading(2, "Operating points"),
        Paragraph("Images, and their share of the label's row, at each threshold:"),
        FigureGrid(_named(pictures, "confusion_"), small=True),
        tables.points_table(models, "Thresholds, applied to these images"),
    ]
    if all(len(found.operating_points) == 1 for found in models.values()):
        blocks.append(
            Paragraph(
                "Give validation predictions (--validation) for operating points chosen there."
            )
        )
    return blocks


def _named(pictures: Mapping[str, Picture], begin: str) -> tuple[Picture, ...]:
    return tuple(picture for name, picture in pictures.items() if name.startswith(begin))


def _curves(pictures: Mapping[str, Picture]) -> list[Block]:
    names = ("roc", "precision_recall", "calibration", "decision")
    shown = tuple(pictures[name] for name in names if name in pictures)
    return [Heading(2, "Curves"), FigureGrid(shown)]


def _scores(models: Mapping[str, ModelSummary], pictures: Mapping[str, Picture]) -> list[Block]:
    return [
        Heading(2, "Calibration"),
        tables.calibration_table(models, "Slope 1 and intercept 0 are perfect"),
        Heading(2, "Scores by label"),
        Paragraph("The dashed line is the default threshold."),
        FigureGrid(_named(pictures, "histogram_")),
    ]


def _comparisons(content: ReportContent) -> list[Block]:
    if not content.comparisons:
        return []
    caption = "First model minus second, at each one's default threshold"
    return [
        Heading(2, "Comparison of models"),
        tables.comparison_table(content.comparisons, caption),
    ]


def _flow(flow: ImageFlow) -> list[Block]:
    steps: list[tuple[str, ...]] = []
    if flow.found is not None:
        steps.append(("Found", str(flow.found)))
    if flow.rejected is not None:
        steps.append(("Rejected", str(flow.rejected)))
        steps += [(f"Rejected: {reason}", str(files)) for reason, files in flow.reasons]
    for row in flow.splits:
        counts = f"{row.images} ({row.injured} injured; {row.patients} patients)"
        steps.append((f"In the manifest: {row.split}", counts))
    if flow.corrected is not None:
        steps.append(("In the manifest: label corrected", str(flow.corrected)))
    if flow.used_of is not None and flow.used_of != flow.used:
        steps.append(("Without a score in their split", str(flow.used_of - flow.used)))
    steps.append(("Used in this report", str(flow.used)))
    if flow.corrected_used is not None:
        steps.append(("Used in this report: label corrected", str(flow.corrected_used)))
    return [Heading(2, "Flow of images"), Table("Images", ("Step", "Images"), tuple(steps))]


def _worst(
    models: Mapping[str, ModelSummary],
    galleries: Mapping[str, Gallery],
    maps: Sequence[MapsOfModel],
) -> list[Block]:
    blocks: list[Block] = [
        Heading(2, "Worst errors"),
        Paragraph("Wrong at the default threshold, farthest from the label first."),
    ]
    if not galleries:
        blocks.append(Paragraph("Give the prepared folder (--archive) to see the images."))
    for model, found in models.items():
        blocks.append(Heading(3, model))
        if not found.worst:
            blocks.append(Paragraph("No image is on the wrong side of the threshold."))
        elif model in galleries:
            blocks += worst_blocks(galleries[model], [row for row in maps if row.model == model])
        else:
            rows = tuple(
                (error.image_id, "injury" if error.label else "normal", tables.number(error.score))
                for error in found.worst
            )
            header = ("Image", "Label", "Score")
            blocks.append(Table(f"Worst errors of {model}", header, rows, text_columns=(1,)))
    return blocks


def _inputs(inputs: Sequence[InputFile]) -> Table:
    rows = tuple(
        (file.file, file.run or tables.UNDEFINED, file.role, str(file.rows), file.sha256[:16])
        for file in inputs
    )
    header = ("File", "Run", "As", "Rows", "SHA-256 begins")
    return Table("Files read", header, rows, text_columns=(1, 2, 4))
