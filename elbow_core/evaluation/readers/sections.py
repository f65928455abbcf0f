"""The sections of a study's report: their order and their text."""

from collections.abc import Mapping

from elbow_core.evaluation.readers import cells, tables
from elbow_core.evaluation.readers.analysis import MetricAnalysis, StudyAnalysis
from elbow_core.evaluation.report.rendering import Block, Heading, Items, Paragraph, Picture
from elbow_core.evaluation.statistics.multireader import MAX_PLANNED_CASES, POPULATIONS

METHODS = (
    "Obuchowski and Rockette's analysis (1995) of the readers' accuracies, with Hillis' degrees of "
    "freedom (2007) and, for one modality, the intervals of Hillis (2014). Fixed readers and fixed "
    "cases follow Hillis, Berbaum and Metz (2008). Every reader rates every case with every "
    "modality.",
    "The AUROC is the trapezoidal area under the ROC curve; tied ratings count half. Its "
    "covariances are from the jackknife over the cases, as in the Dorfman-Berbaum-Metz analysis, "
    "or DeLong's (1988). Those of sensitivity and specificity are of means of decisions.",
    "Differences of all pairs of modalities share one error term; Holm's adjustment (1979) is over "
    "the pairs within a metric.",
    "Non-inferiority is tested one-sided, at half of what the interval leaves out: it is shown "
    "where the interval of new minus reference lies above minus the margin.",
    "Power and sample size follow Hillis, Obuchowski and Berbaum (2011).",
)


def study_blocks(
    analysis: StudyAnalysis, name: str, pictures: Mapping[str, Picture]
) -> list[Block]:
    """Return the blocks of a report; ``name`` is that of the table, pictures are by figure."""
    blocks: list[Block] = [Paragraph(line) for line in headline(analysis)]
    blocks.append(Paragraph(_opening(analysis, name)))
    blocks += map(Paragraph, analysis.notes)
    for metric, of in analysis.metrics.items():
        blocks += _metric(analysis, of, pictures)
        if metric == "auroc" and "roc" in pictures:
            blocks.append(pictures["roc"])
    blocks += _plans(analysis)
    return [*blocks, Heading(2, "Methods"), Items(METHODS)]


def headline(analysis: StudyAnalysis) -> list[str]:
    """Return the result of each metric for the population that was asked for, one line each."""
    names, settings = list(analysis.study.modalities), analysis.settings
    of_whom = cells.POPULATION_NAMES[settings.population]
    level = f"{100 * settings.confidence:g} % interval"
    lines = []
    for of in analysis.metrics.values():
        metric, found = _title(of), of.inferences[settings.population]
        if len(names) == 1:
            of_one = found.modalities[0]
            interval = f"no interval: {of_one.reason}" if of_one.reason else level
            lines.append(
                f"{metric} of {names[0]}: {cells.estimate(of_one)}, {interval}; {of_whom}."
            )
        elif len(names) > 2:
            test = found.equality
            result = (
                f"no test: {test.reason}"
                if test.reason
                else f"F = {cells.number(test.f)}, p = {cells.p_value(test.p)} for no difference"
            )
            lines.append(f"{metric} of {len(names)} modalities: {result}; {of_whom}.")
        else:
            row = found.differences[0]
            result = (
                f", no test: {row.estimate.reason}"
                if row.estimate.reason
                else f", {level}, p = {cells.p_value(row.p)}"
            )
            difference = cells.difference(row.estimate)
            lines.append(f"{metric}, {names[0]} minus {names[1]}: {difference}{result}; {of_whom}.")
    return lines


def _opening(analysis: StudyAnalysis, name: str) -> str:
    study, settings = analysis.study, analysis.settings
    positives = int(study.truth.sum())
    threshold = (
        ""
        if analysis.threshold is None or study.binary
        else f" A case counts as called positive from a rating of {analysis.threshold:g}."
    )
    return (
        f"{name}: {_count(len(study.readers), 'reader')}, "
        f"{_count(len(study.modalities), 'modality', 'modalities')}, {len(study.cases)} cases: "
        f"{positives} positive, {len(study.cases) - positives} negative. Intervals have the level "
        f"{100 * settings.confidence:g} %; covariances: {_covariance(settings.covariance)}."
        + threshold
    )


def _metric(
    analysis: StudyAnalysis, of: MetricAnalysis, pictures: Mapping[str, Picture]
) -> list[Block]:
    several = len(analysis.study.modalities) > 1
    population = analysis.settings.population
    missing = _reasons(analysis, of)
    blocks: list[Block] = [
        Heading(2, _title(of)),
        tables.modalities_table(analysis, of),
        *([Paragraph("Not shown, and why:"), Items(missing)] if missing else []),
    ]
    if several:
        blocks.append(tables.equality_table(of))
        blocks.append(tables.differences_table(analysis, of, population))
    if of.non_inferiority:
        blocks.append(tables.non_inferiority_table(analysis, of))
    blocks.append(tables.readers_table(analysis, of))
    if several:
        blocks.append(tables.reader_differences_table(analysis, of))
    if picture := pictures.get(f"differences_{of.accuracy.metric}"):
        blocks.append(picture)
    blocks.append(tables.components_table(of))
    return blocks


def _reasons(analysis: StudyAnalysis, of: MetricAnalysis) -> tuple[str, ...]:
    """Return why there is no interval or test, one sentence for each population and reason."""
    found = {}
    for kind in POPULATIONS:
        inference = of.inferences[kind]
        whom = cells.POPULATION_NAMES[kind]
        for name, estimate in zip(analysis.study.modalities, inference.modalities, strict=True):
            if estimate.reason:
                found[f"{name}, {whom}: {estimate.reason}."] = None
        if len(analysis.study.modalities) > 1 and inference.equality.reason:
            found[f"Comparison, {whom}: {inference.equality.reason}."] = None
    return tuple(found)


def _plans(analysis: StudyAnalysis) -> list[Block]:
    plan = analysis.settings.plan
    if plan is None:
        return []
    settings = analysis.settings
    whom = cells.POPULATION_NAMES[settings.population]
    test = (
        f"a two-sided test at {100 * (1 - settings.confidence):.2g} %, where the modalities differ "
        f"by {plan.effect:g}"
        if settings.margin is None
        else f"non-inferiority with the margin {settings.margin:g}, one-sided at "
        f"{100 * (1 - settings.confidence) / 2:.2g} %, where new minus reference is {plan.effect:g}"
    )
    blocks: list[Block] = [
        Heading(2, "A study in planning"),
        Paragraph(
            f"This study is the pilot: power of {test}; {whom}; two modalities; the same share of "
            "positive cases. The estimates of a small pilot are themselves uncertain, and so is "
            "this power."
        ),
    ]
    for of in analysis.metrics.values():
        if of.plan is None:
            continue
        blocks.append(tables.plan_table(analysis, of))
        if any(study.cases is None for study in of.plan.needed):
            blocks.append(Paragraph(f"None: {MAX_PLANNED_CASES} cases are too few for this power."))
        if of.plan.asked:
            blocks.append(tables.power_table(of))
    return blocks


def _title(of: MetricAnalysis) -> str:
    return cells.sentence(cells.METRICS[of.accuracy.metric])


def _covariance(method: str) -> str:
    return "jackknife over the cases" if method == "jackknife" else "DeLong"


def _count(number: int, one: str, several: str = "") -> str:
    return f"{number} {one if number == 1 else several or one + 's'}"
