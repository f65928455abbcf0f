"""The layout of readers.json, which docs/readers.md describes."""

import dataclasses
import math
from pathlib import Path
from typing import Any

from elbow_core.evaluation.readers.analysis import MetricAnalysis, StudyAnalysis
from elbow_core.evaluation.readers.study import ReaderStudy
from elbow_core.evaluation.statistics.multireader import ReaderInference
from elbow_core.files import sha256_of

SCHEMA = 1
KIND = "readers"


def json_content(analysis: StudyAnalysis, name: str) -> dict[str, Any]:
    """Return an analysis as JSON values; ``name`` is that of the table in the report.

    nan becomes null, and so does an infinite number of degrees of freedom.
    """
    study, settings = analysis.study, analysis.settings
    positives = int(study.truth.sum())
    return _plain(
        {
            "schema": SCHEMA,
            "kind": KIND,
            "title": settings.title,
            "input": {"name": name, "sha256": _digest(study.path)},
            "readers": list(study.readers),
            "modalities": list(study.modalities),
            "cases": len(study.cases),
            "positives": positives,
            "negatives": len(study.cases) - positives,
            "population": settings.population,
            "covariance": settings.covariance,
            "confidence": settings.confidence,
            "threshold": analysis.threshold,
            "notes": list(analysis.notes),
            "metrics": {metric: _metric(of, study) for metric, of in analysis.metrics.items()},
        }
    )


def is_readers_json(content: Any) -> bool:
    """Return whether the content of a JSON file is that of a readers.json."""
    return (
        isinstance(content, dict)
        and content.get("kind") == KIND
        and type(content.get("schema")) is int
        and 1 <= content["schema"] <= SCHEMA
        and content.keys() >= {"readers", "modalities", "cases", "metrics"}
    )


def _metric(of: MetricAnalysis, study: ReaderStudy) -> dict[str, Any]:
    names = study.modalities
    components = dataclasses.asdict(of.components)
    single = components.pop("single")
    return {
        "cases": of.accuracy.cases,
        "components": {
            **components,
            "var_reader": of.components.var_reader,
            "var_interaction": of.components.var_interaction,
            "single": dict(zip(names, single, strict=True)),
        },
        "populations": {
            population: _inference(found, names) for population, found in of.inferences.items()
        },
        "readers": {
            name: {
                reader: dataclasses.asdict(estimate)
                for reader, estimate in zip(study.readers, row, strict=True)
            }
            for name, row in zip(names, of.reader_estimates, strict=True)
        },
        "reader_differences": [
            {
                "first": names[first],
                "second": names[second],
                "reader": reader,
                **dataclasses.asdict(estimate),
                "p": p,
            }
            for (first, second), rows in of.reader_differences.items()
            for reader, (estimate, p) in zip(study.readers, rows, strict=True)
        ],
        "non_inferiority": [
            {
                "modality": names[row.modality],
                "reference": names[row.reference],
                "margin": row.margin,
                **dataclasses.asdict(row.estimate),
                "p": row.p,
                "p_holm": row.p_holm,
            }
            for row in of.non_inferiority
        ],
        "plan": None if of.plan is None else dataclasses.asdict(of.plan),
    }


def _inference(found: ReaderInference, names: tuple[str, ...]) -> dict[str, Any]:
    return {
        "equality": dataclasses.asdict(found.equality),
        "modalities": {
            name: dataclasses.asdict(estimate)
            for name, estimate in zip(names, found.modalities, strict=True)
        },
        "differences": [
            {
                "first": names[row.first],
                "second": names[row.second],
                **dataclasses.asdict(row.estimate),
                "p": row.p,
                "p_holm": row.p_holm,
            }
            for row in found.differences
        ],
    }


def _digest(path: str) -> str:
    return sha256_of(Path(path)) if path else ""


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(of) for name, of in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(of) for of in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
