"""The numbers of a report as typed records; undefined numbers are nan and have a reason."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from elbow_core.evaluation.external import ExternalValidation
from elbow_core.evaluation.report.content.decisions import (
    Decisions,
    Metric,
    Metrics,
    OperatingPointSummary,
)
from elbow_core.evaluation.report.content.studies import StudySummary
from elbow_core.evaluation.statistics import BinaryMetrics
from elbow_core.evaluation.statistics.differences import Difference
from elbow_core.evaluation.statistics.groups import Gap


@dataclass(frozen=True, slots=True)
class CalibrationBin:
    """One bin of scores; ``low`` and ``high`` are Wilson's interval of the injured fraction."""

    left: float
    right: float
    images: int
    injured: int
    mean_score: float
    injured_fraction: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class RecalibratedSummary:
    """Calibration of the scores after temperature scaling."""

    slope: float
    intercept: float
    brier: float
    ece: float


@dataclass(frozen=True, slots=True)
class CalibrationSummary:
    """Slope, intercept and bins; ``after_temperature`` is None without a temperature."""

    slope: float
    intercept: float
    reason: str
    bins: Sequence[CalibrationBin]
    temperature: float | None
    after_temperature: RecalibratedSummary | None


@dataclass(frozen=True, slots=True)
class SubgroupSummary:
    """Metrics of the images with one value of one attribute."""

    attribute: str
    group: str
    images: int
    injured: int
    metrics: Metrics


@dataclass(frozen=True, slots=True)
class GapSummary:
    """The largest gap of a metric between the groups of an attribute, and the test of all groups.

    ``higher`` and ``lower`` are the groups of the largest gap, ``tested`` those of the largest
    standardised one; they are empty where fewer than two groups are judged. ``p_holm`` is adjusted
    over all attributes and metrics of the model.
    """

    attribute: str
    metric: str
    higher: str
    lower: str
    gap: Gap
    tested: tuple[str, str] | tuple[()]
    p_holm: float
    judged: Sequence[str]
    not_judged: Sequence[str]


@dataclass(frozen=True, slots=True)
class WorstError:
    """A wrong decision whose score is far from the label."""

    image_id: str
    label: int
    score: float


@dataclass(frozen=True, slots=True)
class AnswerSummary:
    """Decisions of the generated answers; an answer that names neither class counts as wrong."""

    unparsed: int
    decisions: Decisions


@dataclass(frozen=True, slots=True)
class AnswerShare:
    """What one answer was given for: ``share`` of it is wrong, ``wanted`` is the promise."""

    images: int
    wrong: int
    wanted: float
    share: Metric


@dataclass(frozen=True, slots=True)
class AbstentionSummary:
    """Three answers at frozen thresholds; a threshold is None if its answer is never given.

    ``unit`` is what counts once in a share: ``patient`` or ``image``.
    """

    unit: str
    confidence: float
    normal_below: float | None
    injury_from: float | None
    normal: AnswerShare
    injury: AnswerShare
    left: int
    left_share: Metric


@dataclass(frozen=True, slots=True)
class ModelSummary:
    """All numbers about one model.

    ``overall`` and ``metrics`` are at the default threshold, the second with intervals.
    ``studies`` is None if no image names its study, ``answers`` if the model generates none,
    ``abstention`` if no thresholds were given that leave images to the reader.
    """

    overall: BinaryMetrics
    metrics: Metrics
    operating_points: Mapping[str, OperatingPointSummary]
    calibration: CalibrationSummary
    studies: StudySummary | None
    subgroups: Sequence[SubgroupSummary]
    gaps: Sequence[GapSummary]
    worst: Sequence[WorstError]
    answers: AnswerSummary | None
    abstention: AbstentionSummary | None = None


@dataclass(frozen=True, slots=True)
class Comparison:
    """First model minus second in one metric; ``p_holm`` is adjusted over the pairs of models."""

    first: str
    second: str
    metric: str
    difference: Difference
    p_holm: float


@dataclass(frozen=True, slots=True)
class MeanOfModels:
    """The mean of calibrated scores: its name among the models, and the models that it is of.

    Where it cannot be computed ``model`` is empty and ``reason`` says why.
    """

    model: str
    of: Sequence[str]
    reason: str


@dataclass(frozen=True, slots=True)
class SplitCounts:
    """Counts of one split of the manifest."""

    split: str
    images: int
    injured: int
    patients: int
    used: int


@dataclass(frozen=True, slots=True)
class ImageFlow:
    """Counts from the files found to the images used; None where the given files do not say.

    ``corrected`` and ``corrected_used`` count the images whose labels a label audit has changed.
    """

    used: int
    found: int | None = None
    rejected: int | None = None
    reasons: Sequence[tuple[str, int]] = ()
    splits: Sequence[SplitCounts] = ()
    used_of: int | None = None
    patients_in_two_splits: int | None = None
    corrected: int | None = None
    corrected_used: int | None = None


@dataclass(frozen=True, slots=True)
class InputFile:
    """A predictions file that was read; ``sha256`` is empty for predictions from memory.

    ``file`` is its name, with as many folders as tell it apart from the others; ``run`` the name of
    the run's directory in which it lies, empty if it lies in none.
    """

    file: str
    role: str
    rows: int
    sha256: str
    run: str = ""


@dataclass(frozen=True, slots=True)
class ReportContent:
    """All numbers of a report; ``patients`` is None if no image names its patient."""

    title: str
    images: int
    patients: int | None
    injured: int
    normal: int
    draws: int
    seed: int
    notes: Sequence[str]
    models: Mapping[str, ModelSummary]
    comparisons: Sequence[Comparison]
    mean: MeanOfModels
    external: Mapping[str, ExternalValidation]
    flow: ImageFlow
    inputs: Sequence[InputFile]
