"""Sentences that qualify a whole report: unknown patients, thresholds judged where chosen."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from elbow_core.dataset import read_ungrouped
from elbow_core.evaluation.abstention import AbstentionRecord
from elbow_core.evaluation.predictions import Predictions
from elbow_core.evaluation.report.content import InputFile
from elbow_core.evaluation.report.inputs import ReportInputs

NO_PATIENTS = (
    "No patient is named, so images count as independent; if some share a patient, the intervals "
    "are too narrow."
)
UNGROUPED = (
    "For {images} images of the prepared data nothing says whose they are, so each counts as a "
    "patient of its own; if some share a patient, that patient may be in two splits, and the "
    "intervals are too narrow."
)
CHOSEN_HERE = (
    "{model}: the thresholds that leave images to the reader were chosen on these predictions, so "
    "the realised shares are no test of their promise."
)


def notes_on_patients(predictions: Predictions, ungrouped: int) -> list[str]:
    """Say how many images name no patient; ``ungrouped`` is as in `ungrouped_images`."""
    known = int((predictions.keys("patient_id") != "").sum())
    notes = []
    if not known:
        notes.append(NO_PATIENTS)
    elif unknown := len(predictions) - known:
        notes.append(
            f"{unknown} images name no patient; each of them counts as a patient of its own."
        )
    if ungrouped:
        notes.append(UNGROUPED.format(images=ungrouped))
    return notes


def notes_on_abstention(
    predictions: Sequence[Predictions],
    files: Sequence[InputFile],
    abstention: Mapping[str, AbstentionRecord],
) -> list[str]:
    """Name the models that are judged on the very file on which their thresholds were chosen."""
    return [
        CHOSEN_HERE.format(model=model.model)
        for model, file in zip(predictions, files, strict=False)
        if model.model in abstention
        and file.sha256
        and file.sha256 == abstention[model.model].predictions_sha256
    ]


def ungrouped_images(inputs: ReportInputs) -> int:
    """Return how many images of the prepared data count as patients of their own, if it is known.

    A manifest alone is that of the folder in which it lies.
    """
    folder = inputs.archive or (inputs.manifest and Path(inputs.manifest).parent)
    return (read_ungrouped(Path(folder)) or 0) if folder else 0
