"""The tables of a study's report."""

import math

from elbow_core.evaluation.readers import cells
from elbow_core.evaluation.readers.analysis import MetricAnalysis, StudyAnalysis
from elbow_core.evaluation.readers.plan import PlannedStudy
from elbow_core.evaluation.report.rendering import Table
from elbow_core.evaluation.statistics.multireader import POPULATIONS, Population, ReaderMetric


def modalities_table(analysis: StudyAnalysis, of: MetricAnalysis) -> Table:
    """One row per modality: the mean over readers with its interval, for each population."""
    rows = (
        (
            name,
            *(cells.estimate(of.inferences[kind].modalities[number]) for kind in POPULATIONS),
        )
        for number, name in enumerate(analysis.study.modalities)
    )
    header = ("Modality", *(_column(kind) for kind in POPULATIONS))
    return Table(f"Mean {_name(of)} of the readers", header, tuple(rows))


def equality_table(of: MetricAnalysis) -> Table:
    """One row per population: the test that all modalities are equal."""
    rows = []
    for kind in POPULATIONS:
        test = of.inferences[kind].equality
        freedom = f"{test.df1}, {cells.freedom(test.df2)}"
        rows.append((_column(kind), cells.number(test.f), freedom, cells.p_value(test.p)))
    header = ("Population", "F", "Degrees of freedom", "p")
    return Table(f"Test that all modalities have the same {_name(of)}", header, tuple(rows))


def differences_table(analysis: StudyAnalysis, of: MetricAnalysis, population: Population) -> Table:
    """One row per pair of modalities, first minus second."""
    names = analysis.study.modalities
    rows = (
        (
            f"{names[row.first]} - {names[row.second]}",
            cells.difference(row.estimate),
            cells.number(row.estimate.error, 4),
            cells.freedom(row.estimate.df),
            cells.p_value(row.p),
            cells.p_value(row.p_holm),
        )
        for row in of.inferences[population].differences
    )
    header = ("Modalities", "Difference", "Standard error", "Degrees of freedom", "p", "p (Holm)")
    caption = f"Differences of {_name(of)}: {cells.POPULATION_NAMES[population]}"
    return Table(caption, header, tuple(rows))


def non_inferiority_table(analysis: StudyAnalysis, of: MetricAnalysis) -> Table:
    """One row per modality but the reference, new minus reference."""
    names, margin = analysis.study.modalities, analysis.settings.margin
    level = (1 - analysis.settings.confidence) / 2
    rows = (
        (
            f"{names[row.modality]} - {names[row.reference]}",
            cells.difference(row.estimate),
            cells.p_value(row.p),
            cells.p_value(row.p_holm),
            _verdict(row.p_holm, level),
        )
        for row in of.non_inferiority
    )
    header = ("Modalities", "Difference", "One-sided p", "p (Holm)", f"At {100 * level:g} %")
    caption = f"Non-inferiority in {_name(of)}, margin {margin:g}"
    return Table(caption, header, tuple(rows), text_columns=(4,))


def readers_table(analysis: StudyAnalysis, of: MetricAnalysis) -> Table:
    """One row per reader, one column per modality."""
    study = analysis.study
    rows = (
        (reader, *(cells.estimate(row[number]) for row in of.reader_estimates))
        for number, reader in enumerate(study.readers)
    )
    caption = f"{cells.sentence(_name(of))} of each reader, over random cases"
    return Table(caption, ("Reader", *study.modalities), tuple(rows))


def reader_differences_table(analysis: StudyAnalysis, of: MetricAnalysis) -> Table:
    """One row per reader and pair of modalities."""
    study = analysis.study
    rows = (
        (
            f"{reader}: {study.modalities[first]} - {study.modalities[second]}",
            cells.difference(estimate),
            cells.p_value(p),
        )
        for (first, second), found in of.reader_differences.items()
        for reader, (estimate, p) in zip(study.readers, found, strict=True)
    )
    caption = f"Differences of {_name(of)} of each reader, over random cases"
    return Table(caption, ("Reader", "Difference", "p"), tuple(rows))


def components_table(of: MetricAnalysis) -> Table:
    """The variance components and covariances, with correlations."""
    found = of.components
    values = (
        ("Readers", found.var_reader, None),
        ("Readers by modalities", found.var_interaction, None),
        ("Var (error)", found.variance, None),
        ("Cov1 (same reader)", found.cov1, found.variance),
        ("Cov2 (same modality)", found.cov2, found.variance),
        ("Cov3 (neither)", found.cov3, found.variance),
    )
    rows = (
        (
            name,
            cells.small(value),
            cells.number(value / variance) if variance else cells.UNDEFINED,
        )
        for name, value, variance in values
    )
    caption = f"Variance components of {_name(of)}"
    return Table(caption, ("Component", "Estimate", "Correlation"), tuple(rows))


def plan_table(analysis: StudyAnalysis, of: MetricAnalysis) -> Table:
    """One row per number of readers: the fewest cases that give the wanted power."""
    plan, settings = of.plan, analysis.settings.plan
    if plan is None or settings is None:
        raise ValueError("there is no plan")
    caption = f"Cases for a power of {settings.power:g}: {_name(of)}"
    return _studies_table(caption, plan.needed, of.accuracy.metric)


def power_table(of: MetricAnalysis) -> Table:
    """One row per number of readers and of cases: the power."""
    if of.plan is None:
        raise ValueError("there is no plan")
    caption = f"Power of studies of a given size: {_name(of)}"
    return _studies_table(caption, of.plan.asked, of.accuracy.metric)


def _studies_table(caption: str, studies: tuple[PlannedStudy, ...], metric: ReaderMetric) -> Table:
    rows = (
        (str(study.readers), *_cases(study, metric), cells.number(study.power)) for study in studies
    )
    return Table(caption, ("Readers", "Positive cases", "Negative cases", "Power"), tuple(rows))


def _cases(study: PlannedStudy, metric: ReaderMetric) -> tuple[str, str]:
    """Return the positive and the negative cases; a dash for those that a metric ignores."""
    if study.cases is None:
        return "none", "none"
    positives, negatives = str(study.positives), str(study.cases - study.positives)
    return {
        "auroc": (positives, negatives),
        "sensitivity": (positives, cells.UNDEFINED),
        "specificity": (cells.UNDEFINED, negatives),
    }[metric]


def _verdict(p: float, level: float) -> str:
    if math.isnan(p):
        return cells.UNDEFINED
    return "non-inferior" if p <= level else "not shown"


def _column(population: Population) -> str:
    return cells.POPULATION_NAMES[population].capitalize()


def _name(of: MetricAnalysis) -> str:
    return cells.METRICS[of.accuracy.metric]
