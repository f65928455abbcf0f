"""A model on prepared data that are not its own: what every framework's command shares."""

import dataclasses
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from elbow_core.dataset import SPLITS, PreparedData, open_prepared
from elbow_core.errors import ConfigError, PredictionsError
from elbow_core.evaluation.abstention import AbstentionRecord
from elbow_core.evaluation.external import refuse_shared_images
from elbow_core.evaluation.operating_points import validation_of
from elbow_core.evaluation.predictions import (
    ALL,
    EXTERNAL_PREDICTIONS,
    EXTERNAL_REPORT,
    Predictions,
    predictions_of_rows,
    read_predictions,
    require_predictions_file,
)
from elbow_core.evaluation.report import (
    ReportInputs,
    ReportSettings,
    require_report_folder,
    write_report,
)
from elbow_core.files import locked_output, require_utf8_name, require_writable


def open_external(
    prepared: Path, split: str, preprocessing: Mapping[str, Any]
) -> tuple[PreparedData, str]:
    """Return the data, and the split of them that is judged; for `ALL` every image is in it.

    Args:
        prepared: the directory of the data.
        split: of the data, or `ALL`.
        preprocessing: the settings that the model needs.

    Raises:
        ConfigError: for a split without images, as `require_preprocessing` does, and as
            `open_prepared` does.
    """
    data = open_prepared(prepared)
    if split == ALL:
        rows = tuple(dataclasses.replace(row, split="test") for row in data.rows)
        data, split = dataclasses.replace(data, rows=rows), "test"
    elif not len(data.positions(split)):
        known = [name for name in SPLITS if len(data.positions(name))]
        raise ConfigError(
            f"{prepared}: has no images in the split {split!r}; give --split "
            f"{', '.join([*known, ALL])}"
        )
    require_preprocessing(preprocessing, data)
    return data, split


def require_preprocessing(settings: Mapping[str, Any], data: PreparedData) -> None:
    """Raise `ConfigError`, which says how to prepare them, for data prepared otherwise."""
    found = data.archive.settings
    if settings == found:
        return
    options = " ".join(
        f"--preprocess.{name} {value}"
        for name, value in settings.items()
        if found.get(name) != value
    )
    raise ConfigError(
        f"{data.directory}: prepared otherwise than the model needs; prepare it into another "
        f"folder with its configuration and {options}"
    )


@dataclasses.dataclass(frozen=True)
class ExternalOutputs:
    """What is written into a folder when a model is judged on other data."""

    folder: Path

    @property
    def predictions(self) -> Path:
        """The file of predictions."""
        return self.folder / EXTERNAL_PREDICTIONS

    @property
    def report(self) -> Path:
        """The directory of the report."""
        return self.folder / EXTERNAL_REPORT

    @contextmanager
    def locked(self) -> Iterator[None]:
        """A context in which no other process writes these outputs; the folder is made.

        Raises:
            UserError: if something else is in the place of an output, or another process writes.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        require_predictions_file(self.predictions)
        require_report_folder(self.report)
        with locked_output(self.report):
            yield


def external_outputs(out: Path) -> ExternalOutputs:
    """Return the outputs of a folder, which need not exist.

    Raises:
        UserError: if its name is not UTF-8, or it cannot be written.
    """
    require_utf8_name(out.absolute())
    require_writable(out)
    return ExternalOutputs(out)


def name_of_model(folder: Path, within_run: Collection[str]) -> str:
    """Return the name of the run that a model's folder belongs to, or that of another folder.

    Args:
        folder: of the model.
        within_run: the names of such folders in a run.
    """
    resolved = folder.resolve()
    return resolved.parent.name if resolved.name in within_run else resolved.name


@dataclasses.dataclass(frozen=True)
class OwnPredictions:
    """A model's predictions of its own sets, to stand beside those of an external one."""

    model: str
    """Its name in predictions and reports."""
    internal: Predictions | None
    """Of its test set: the report shows both."""
    validation: Predictions | None
    """Of its validation set: operating points, temperature, the learnt join of studies."""


def read_own_predictions(
    internal: Path | None, validation: Path | None, data: PreparedData, split: str, name: str
) -> OwnPredictions:
    """Read a model's predictions of its own sets, before the external images are scored.

    Args:
        internal: the file of its test set.
        validation: that of its validation set.
        data: the external data.
        split: of these, that is judged.
        name: of the model, where no file says it.

    Raises:
        PredictionsError: if a file cannot be read, the two are of different models, or one shares
            images with the external set.
    """
    own, chosen_on = (
        None if path is None else read_predictions(path) for path in (internal, validation)
    )
    if own is not None and chosen_on is not None and own.model != chosen_on.model:
        raise PredictionsError(
            f"{chosen_on.path}: is of the model {chosen_on.model!r}, and {own.path} of "
            f"{own.model!r}; give the predictions of one model"
        )
    known = next((found.model for found in (own, chosen_on) if found is not None), name)
    rows = [data.rows[position] for position in data.positions(split).tolist()]
    nothing = np.zeros(len(rows), np.int64)
    judged = predictions_of_rows(rows, nothing.astype(np.float64), nothing, known)
    if own is not None:
        refuse_shared_images(own, judged)
    validation_of([judged], [] if chosen_on is None else [chosen_on])
    return OwnPredictions(known, own, chosen_on)


def write_external_report(
    predictions: Predictions,
    data: PreparedData,
    out: Path,
    own: OwnPredictions,
    *,
    thresholds: Mapping[str, float] | None = None,
    abstention: AbstentionRecord | None = None,
) -> None:
    """Write the report of a model's predictions of other prepared data, with a checklist.

    Args:
        predictions: of those data.
        data: the data.
        out: the folder of the report.
        own: the model's predictions of its own sets.
        thresholds: operating points of a released model; they precede a choice on validation.
        abstention: its frozen thresholds that leave images to the reader.

    Raises:
        UserError: as `write_report` does.
    """
    name = predictions.model
    write_report(
        [predictions],
        out,
        ReportInputs(
            internal=[] if own.internal is None else [own.internal],
            validation=[] if own.validation is None else [own.validation],
            thresholds=None if thresholds is None else {name: thresholds},
            abstention=None if abstention is None else {name: abstention},
            manifest=data.directory / "manifest.csv",
            rejected=data.directory / "rejected.csv",
            archive=data.directory,
        ),
        ReportSettings(title=f"{name} on {data.directory.name}", checklist=True),
    )
