"""The layout of metrics.json, which docs/evaluation.md describes."""

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

from elbow_core.evaluation.report.content.decisions import (
    Decisions,
    Metric,
    Metrics,
    OperatingPointSummary,
)
from elbow_core.evaluation.report.content.schema import SCHEMA
from elbow_core.evaluation.report.content.structure import (
    AbstentionSummary,
    AnswerShare,
    CalibrationSummary,
    Comparison,
    GapSummary,
    ImageFlow,
    MeanOfModels,
    ModelSummary,
    ReportContent,
    SubgroupSummary,
)
from elbow_core.evaluation.report.content.studies import JoinSummary, StudySummary


def metrics_json(content: ReportContent) -> dict[str, Any]:
    """Return the content as JSON values; nan becomes null, which JSON can hold."""
    return _nan_as_null(
        {
            "schema": SCHEMA,
            "title": content.title,
            "images": content.images,
            "patients": content.patients,
            "injured": content.injured,
            "normal": content.normal,
            "draws": content.draws,
            "seed": content.seed,
            "notes": list(content.notes),
            "models": {name: _model(model) for name, model in content.models.items()},
            "comparisons": [_comparison(row) for row in content.comparisons],
            "mean": _mean(content.mean),
            "external": {
                name: dataclasses.asdict(found) for name, found in content.external.items()
            },
            "flow": _flow(content.flow),
            "inputs": [dataclasses.asdict(file) for file in content.inputs],
        }
    )


def _model(model: ModelSummary) -> dict[str, Any]:
    written: dict[str, Any] = {
        **model.overall,
        "operating_points": {
            name: _operating_point(point) for name, point in model.operating_points.items()
        },
        "calibration": _calibration(model.calibration),
        "studies": None if model.studies is None else _studies(model.studies),
        "subgroups": [_subgroup(group) for group in model.subgroups],
        "gaps": [_gap(gap) for gap in model.gaps],
        "worst": [dataclasses.asdict(error) for error in model.worst],
        "intervals": {name: _interval(metric) for name, metric in model.metrics.items()},
    }
    if model.answers is not None:
        written["answers"] = {
            "unparsed": model.answers.unparsed,
            **_decisions(model.answers.decisions),
        }
    if model.abstention is not None:
        written["abstention"] = _abstention(model.abstention)
    return written


def _abstention(found: AbstentionSummary) -> dict[str, Any]:
    return {
        "unit": found.unit,
        "confidence": found.confidence,
        "normal_below": found.normal_below,
        "injury_from": found.injury_from,
        "normal": _answer_share(found.normal),
        "injury": _answer_share(found.injury),
        "left": {
            "images": found.left,
            "share": found.left_share.value,
            **_interval(found.left_share),
        },
    }


def _answer_share(answer: AnswerShare) -> dict[str, Any]:
    return {
        "images": answer.images,
        "wrong": answer.wrong,
        "wanted": answer.wanted,
        "share": answer.share.value,
        **_interval(answer.share),
    }


def _operating_point(point: OperatingPointSummary) -> dict[str, Any]:
    return {
        "threshold": point.threshold,
        "chosen_on": point.chosen_on,
        **_decisions(point.decisions),
    }


def _decisions(decisions: Decisions) -> dict[str, Any]:
    return {"confusion": decisions.confusion._asdict(), "figures": _metrics(decisions.metrics)}


def _metrics(metrics: Metrics) -> dict[str, Any]:
    return {name: {"value": metric.value, **_interval(metric)} for name, metric in metrics.items()}


def _interval(metric: Metric) -> dict[str, Any]:
    return {
        "low": metric.low,
        "high": metric.high,
        "method": metric.method,
        "reason": metric.reason,
    }


def _calibration(calibration: CalibrationSummary) -> dict[str, Any]:
    written: dict[str, Any] = {
        "slope": calibration.slope,
        "intercept": calibration.intercept,
        "reason": calibration.reason,
        "bins": [
            {
                "from": bin_.left,
                "to": bin_.right,
                "images": bin_.images,
                "injured": bin_.injured,
                "mean_score": bin_.mean_score,
                "injured_fraction": bin_.injured_fraction,
                "low": bin_.low,
                "high": bin_.high,
            }
            for bin_ in calibration.bins
        ],
        "temperature": calibration.temperature,
    }
    if calibration.after_temperature is not None:
        written["after_temperature"] = dataclasses.asdict(calibration.after_temperature)
    return written


def _studies(studies: StudySummary) -> dict[str, Any]:
    return {
        "studies": studies.studies,
        "injured": studies.injured,
        "mixed": studies.mixed,
        "several": studies.several,
        "joins": {name: _join(join) for name, join in studies.joins.items()},
        "learnt": None if studies.learnt is None else dataclasses.asdict(studies.learnt),
        "reason": studies.reason,
    }


def _join(join: JoinSummary) -> dict[str, Any]:
    return {
        "auroc": {"value": join.auroc.value, **_interval(join.auroc)},
        "operating_points": {
            name: _operating_point(point) for name, point in join.operating_points.items()
        },
        "differences": None if join.differences is None else dataclasses.asdict(join.differences),
    }


def _subgroup(group: SubgroupSummary) -> dict[str, Any]:
    return {
        "attribute": group.attribute,
        "group": group.group,
        "images": group.images,
        "injured": group.injured,
        "figures": _metrics(group.metrics),
    }


def _gap(row: GapSummary) -> dict[str, Any]:
    return {
        "attribute": row.attribute,
        "figure": row.metric,
        "higher": row.higher or None,
        "lower": row.lower or None,
        "estimate": row.gap.estimate,
        "low": row.gap.low,
        "high": row.gap.high,
        "p": row.gap.p,
        "p_holm": row.p_holm,
        "tested": list(row.tested),
        "judged": list(row.judged),
        "not_judged": list(row.not_judged),
        "reason": row.gap.reason,
    }


def _comparison(row: Comparison) -> dict[str, Any]:
    return {
        "first": row.first,
        "second": row.second,
        "figure": row.metric,
        "estimate": row.difference.estimate,
        "low": row.difference.low,
        "high": row.difference.high,
        "p": row.difference.p,
        "test": row.difference.test,
        "reason": row.difference.reason,
        "p_holm": row.p_holm,
    }


def _mean(mean: MeanOfModels) -> dict[str, Any]:
    return {"model": mean.model or None, "of": list(mean.of), "reason": mean.reason}


def _flow(flow: ImageFlow) -> dict[str, Any]:
    return {
        "found": flow.found,
        "rejected": flow.rejected,
        "reasons": [{"reason": reason, "files": files} for reason, files in flow.reasons],
        "splits": [dataclasses.asdict(split) for split in flow.splits],
        "used": flow.used,
        "used_of": flow.used_of,
        "patients_in_two_splits": flow.patients_in_two_splits,
        "corrected": flow.corrected,
        "corrected_used": flow.corrected_used,
    }


def _nan_as_null(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _nan_as_null(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_nan_as_null(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
