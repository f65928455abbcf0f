"""A report's pictures: draw each into the report's folder and say in words what it shows."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from elbow_core.dataset.archive import Archive
from elbow_core.errors import PredictionsError
from elbow_core.evaluation.predictions import Predictions
from elbow_core.evaluation.report import figures
from elbow_core.evaluation.report.document import Gallery, Picture
from elbow_core.evaluation.report.style import save
from elbow_core.evaluation.report.tables import number, point_name
from elbow_core.evaluation.statistics.bands import net_benefit_band, roc_and_precision_bands
from elbow_core.evaluation.statistics.clusters import clusters_of

FOLDER = "figures"
GALLERY_PIXELS = 288


def draw(
    folder: Path, predictions: Sequence[Predictions], models: Mapping[str, Any], seed: int
) -> dict[str, Picture]:
    """Every figure over the predictions, by name."""
    labels = predictions[0].label
    prevalence = float(labels.mean())
    roc, precision, benefit, marks, names = {}, {}, {}, {}, {}
    for model in predictions:
        found = models[model.model]
        clusters = clusters_of(model.patient_id)
        bands = roc_and_precision_bands(labels, model.score, clusters, seed=seed)
        names[model.model] = f"{model.model} ({number(found['auroc'])})"
        roc[names[model.model]] = bands[0]
        precision[f"{model.model} ({number(found['average_precision'])})"] = bands[1]
        benefit[model.model] = net_benefit_band(labels, model.score, clusters, seed=seed)
        marks[names[model.model]] = tuple(
            np.nan if value is None else value
            for value in (
                None if found["specificity"] is None else 1 - found["specificity"],
                found["sensitivity"],
            )
        )
    drawn = {
        f"confusion_{number}": figures.confusion_figure(
            [
                f"{point_name(name)}: {point['threshold']:.3f}"
                for name, point in found["operating_points"].items()
            ],
            [point["confusion"] for point in found["operating_points"].values()],
        )
        for number, found in enumerate(models.values())
    }
    drawn |= {
        "calibration": figures.calibration_figure(
            {name: found["calibration"]["bins"] for name, found in models.items()}
        ),
        "decision": figures.decision_figure(benefit, prevalence),
        "histogram": figures.histogram_figure(
            labels,
            {model.model: model.score for model in predictions},
            {name: found["threshold"] for name, found in models.items()},
        ),
    }
    if 0 < prevalence < 1:
        drawn["roc"] = figures.roc_figure(roc, marks)
        drawn["precision_recall"] = figures.precision_recall_figure(precision, prevalence)
    (folder / FOLDER).mkdir()
    pictures = {}
    for name, figure in drawn.items():
        path = f"{FOLDER}/{name}.png"
        save(figure, folder / path)
        alt, caption = _words(name, models)
        pictures[name] = Picture(path, alt, caption)
    return pictures


def _words(name: str, models: Mapping[str, Mapping[str, Any]]) -> tuple[str, str]:
    """What a picture shows for those who do not see it, and its caption."""

    def each(figure: str) -> str:
        return "; ".join(f"{model} {number(found[figure])}" for model, found in models.items())

    if name.startswith("confusion_"):
        model, found = list(models.items())[int(name.removeprefix("confusion_"))]
        cells = "; ".join(
            f"at {number(point['threshold'])} {confusion['tp']} true positives, "
            f"{confusion['fp']} false positives, {confusion['tn']} true negatives, "
            f"{confusion['fn']} false negatives"
            for point in found["operating_points"].values()
            for confusion in [point["confusion"]]
        )
        return (
            f"Confusion matrices of {model}: {cells}.",
            f"{model}: confusion matrix at each threshold; images, and share of the label's row.",
        )
    return {
        "roc": (
            f"ROC curves. Areas: {each('auroc')}.",
            "ROC curves with pointwise 95 % bands; area in brackets; the dot is the default "
            "threshold.",
        ),
        "precision_recall": (
            f"Precision-recall curves. Average precision: {each('average_precision')}.",
            "Precision-recall curves with pointwise 95 % bands; average precision in brackets; "
            "the grey line is the share of injured images.",
        ),
        "calibration": (
            f"Calibration curves. Expected calibration error: {each('ece')}.",
            "Injured fraction by mean score in ten bins, with Wilson's 95 % intervals; on the grey "
            "line scores are probabilities.",
        ),
        "decision": (
            "Decision curves: net benefit of each model over calling all or no image injured.",
            "Net benefit, in true positives an image, by the chance of injury at which one would "
            "act, with pointwise 95 % bands.",
        ),
        "histogram": (
            "Histograms of the scores of normal and of injured images, by model.",
            "Scores by label; the dashed line is the default threshold.",
        ),
    }[name]


def draw_gallery(
    folder: Path, model: int, worst: Sequence[Mapping[str, Any]], archive: Archive
) -> Gallery:
    """The preprocessed images of one model's worst errors, as files of the report.

    Raises `PredictionsError` for an image that the archive lacks.
    """
    position = {image_id: index for index, image_id in enumerate(archive.ids)}
    pictures = []
    for rank, error in enumerate(worst):
        image_id = error["image_id"]
        if image_id not in position:
            raise PredictionsError(f"image {image_id!r} is not in the archive of the gallery")
        image = archive[position[image_id]]
        if archive.size > GALLERY_PIXELS:
            image = cv2.resize(
                image, (GALLERY_PIXELS, GALLERY_PIXELS), interpolation=cv2.INTER_AREA
            )
        path = f"{FOLDER}/worst_{model}_{rank:02d}.png"
        (folder / path).write_bytes(cv2.imencode(".png", image)[1].tobytes())
        label = "injury" if error["label"] else "normal"
        caption = f"{image_id}: labelled {label}, score {error['score']:.3f}"
        pictures.append(Picture(path, f"Preprocessed radiograph {caption}", caption))
    return Gallery(tuple(pictures))
