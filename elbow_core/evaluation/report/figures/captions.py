"""The text of a report's figures: a description for readers who do not see it, and a caption."""

from collections.abc import Mapping
from typing import Literal

from elbow_core.evaluation.report.content import ModelSummary
from elbow_core.evaluation.report.tables import number


def alt_and_caption(name: str, models: Mapping[str, ModelSummary]) -> tuple[str, str]:
    """Return the description and the caption of the figure ``name``."""

    def per_model(metric: Literal["auroc", "average_precision", "ece"]) -> str:
        return "; ".join(
            f"{model} {number(found.overall[metric])}" for model, found in models.items()
        )

    if name.startswith("confusion_"):
        model, found = list(models.items())[int(name.removeprefix("confusion_"))]
        return (
            f"Confusion matrices of {model}: {_cells(found)}.",
            model,
        )
    if name.startswith("histogram_"):
        model = list(models)[int(name.removeprefix("histogram_"))]
        return f"Histograms of the scores of {model}, of normal and of injured images.", model
    return {
        "roc": (
            f"ROC curves. Areas: {per_model('auroc')}.",
            "ROC curves with pointwise 95 % bands; area in brackets; the dot is the default "
            "threshold.",
        ),
        "precision_recall": (
            f"Precision-recall curves. Average precision: {per_model('average_precision')}.",
            "Precision-recall curves with pointwise 95 % bands; average precision in brackets; "
            "the grey line is the share of injured images.",
        ),
        "calibration": (
            f"Calibration curves. Expected calibration error: {per_model('ece')}.",
            "Injured fraction by mean score in ten bins, with Wilson's 95 % intervals; on the grey "
            "line scores are probabilities.",
        ),
        "decision": (
            "Decision curves: net benefit of each model over calling all or no image injured.",
            "Net benefit, in true positives per image, by the chance of injury at which one would "
            "act, with pointwise 95 % bands.",
        ),
    }[name]


def _cells(model: ModelSummary) -> str:
    return "; ".join(
        f"at {number(point.threshold)} {confusion.tp} true positives, "
        f"{confusion.fp} false positives, {confusion.tn} true negatives, "
        f"{confusion.fn} false negatives"
        for point in model.operating_points.values()
        for confusion in [point.decisions.confusion]
    )
