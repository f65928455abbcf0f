"""The figures of a report as files of its folder."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.figure import Figure

from elbow_core.evaluation.predictions import Predictions
from elbow_core.evaluation.report.content import ModelSummary
from elbow_core.evaluation.report.figures import plots
from elbow_core.evaluation.report.figures.captions import alt_and_caption
from elbow_core.evaluation.report.figures.svg import save_svg
from elbow_core.evaluation.report.rendering import Picture
from elbow_core.evaluation.report.tables import number, point_name
from elbow_core.evaluation.statistics import (
    clusters_of,
    net_benefit_band,
    roc_and_precision_bands,
)

FOLDER = "figures"


def draw_figures(
    folder: Path, predictions: Sequence[Predictions], models: Mapping[str, ModelSummary], seed: int
) -> dict[str, Picture]:
    """Write every figure over the predictions; return the pictures by name."""
    labels = predictions[0].label
    drawn = {
        f"confusion_{index}": plots.confusion_figure(
            [
                f"{point_name(name)}\nthreshold {point.threshold:.3f}"
                for name, point in found.operating_points.items()
            ],
            [point.decisions.confusion for point in found.operating_points.values()],
        )
        for index, found in enumerate(models.values())
    }
    drawn |= {
        f"histogram_{index}": plots.histogram_figure(
            labels, model.score, models[model.model].overall["threshold"]
        )
        for index, model in enumerate(predictions)
    }
    drawn |= {
        "calibration": plots.calibration_figure(
            {name: found.calibration.bins for name, found in models.items()}
        ),
        "decision": plots.decision_figure(
            {
                model.model: net_benefit_band(
                    labels, model.score, clusters_of(model.patient_id), seed=seed
                )
                for model in predictions
            },
            float(labels.mean()),
        ),
    }
    if 0 < labels.mean() < 1:
        drawn |= _curve_figures(predictions, models, seed)
    (folder / FOLDER).mkdir()
    pictures = {}
    for name, figure in drawn.items():
        path = f"{FOLDER}/{name}.svg"
        save_svg(figure, folder / path)
        pictures[name] = Picture(path, *alt_and_caption(name, models))
    return pictures


def _curve_figures(
    predictions: Sequence[Predictions], models: Mapping[str, ModelSummary], seed: int
) -> dict[str, Figure]:
    labels = predictions[0].label
    roc, precision, points = {}, {}, {}
    for model in predictions:
        overall = models[model.model].overall
        roc_name = f"{model.model} ({number(overall['auroc'])})"
        precision_name = f"{model.model} ({number(overall['average_precision'])})"
        roc[roc_name], precision[precision_name] = roc_and_precision_bands(
            labels, model.score, clusters_of(model.patient_id), seed=seed
        )
        points[roc_name] = (1 - overall["specificity"], overall["sensitivity"])
    return {
        "roc": plots.roc_figure(roc, points),
        "precision_recall": plots.precision_recall_figure(precision, float(labels.mean())),
    }
