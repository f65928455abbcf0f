"""Facts for the checklist from a metrics.json: this report's own, or that of a further report."""

from collections.abc import Mapping
from typing import Any

from elbow_core.evaluation.report.tables import NAMES, number, p_value

SIGNIFICANT = 0.05
SHOWN_POINT = "youden"


def metrics_facts(metrics: Mapping[str, Any]) -> dict[str, str]:
    """Return sentences by fact name; empty where the report says nothing.

    ``metrics`` is the content of a metrics.json of the present schema.
    """
    models = metrics["models"]
    return {
        "external": " ".join(
            _external(name, found) for name, found in metrics.get("external", {}).items()
        ),
        "recalibration": " ".join(
            _recalibration(name, found) for name, found in metrics.get("external", {}).items()
        ),
        "gaps": " ".join(filter(None, (_gaps(name, of) for name, of in models.items()))),
        "abstention": " ".join(
            _abstention(name, of["abstention"], metrics["images"])
            for name, of in models.items()
            if of.get("abstention")
        ),
        "studies": " ".join(
            _studies(name, of["studies"]) for name, of in models.items() if of.get("studies")
        ),
    }


def results_fact(metrics: Mapping[str, Any]) -> str:
    """Return the areas of a further report, with its title and size."""
    patients = metrics.get("patients")
    areas = ", ".join(
        f"{name} AUC-ROC {_interval({'value': of['auroc'], **_ends(of['intervals']['auroc'])})}"
        for name, of in metrics["models"].items()
    )
    return (
        f"{metrics['title']}: {metrics['images']} images"
        + (f" of {patients} patients" if patients else "")
        + f": {areas}."
    )


def _interval(found: Mapping[str, Any]) -> str:
    """Format the value of a metric with its interval, if it has one."""
    value = found.get("value", found.get("estimate"))
    if value is None or found.get("low") is None or found.get("high") is None:
        return number(value)
    return f"{value:.3f} ({found['low']:.3f} to {found['high']:.3f})"


def _external(model: str, found: Mapping[str, Any]) -> str:
    parts = [
        f"{NAMES[name]} {number(found['external'][name])} (internal "
        f"{number(found['internal'][name])}, difference {_interval(found['differences'][name])})"
        for name in ("auroc", "sensitivity", "specificity")
    ]
    return (
        f"{model}: {found['images']} external images of {found['patients']} patients, "
        f"{found['injured']} injured, at the frozen threshold {number(found['threshold'])}: "
        f"{', '.join(parts)}."
    )


def _recalibration(model: str, found: Mapping[str, Any]) -> str:
    calibration = found["external_calibration"]
    ways = ", ".join(
        f"{way['name']} {number(way['calibration']['brier'])}" for way in found["recalibrations"]
    )
    return (
        f"{model}, external: observed over expected {number(calibration['observed_to_expected'])}, "
        f"slope {number(calibration['slope'])}; Brier score on {found['rest']} images after "
        f"recalibration on {found['fitted']} others: {ways}."
    )


def _gaps(model: str, of: Mapping[str, Any]) -> str:
    tested = [row for row in of.get("gaps", ()) if row["p_holm"] is not None]
    if not tested:
        return ""
    shown = "; ".join(
        f"{row['attribute']}, {NAMES[row['figure']]}: {row['higher']} minus {row['lower']} "
        f"{_interval(row)}, p (Holm) {p_value(row['p_holm'])}"
        for row in tested
        if row["p_holm"] < SIGNIFICANT
    )
    found = shown or f"none with an adjusted p below {SIGNIFICANT}"
    return f"{model}: {len(tested)} gaps between subgroups tested: {found}."


def _abstention(model: str, found: Mapping[str, Any], images: int) -> str:
    answers = ", ".join(
        f"{name}: {found[name]['wrong']} of {found[name]['images']} wrong, share "
        f"{_interval({'value': found[name]['share'], **_ends(found[name])})}, wanted at most "
        f"{found[name]['wanted']:g}"
        for name in ("normal", "injury")
    )
    return f"{model}: {found['left']['images']} of {images} images left to the reader; {answers}."


def _ends(found: Mapping[str, Any]) -> dict[str, Any]:
    return {"low": found["low"], "high": found["high"]}


def _studies(model: str, found: Mapping[str, Any]) -> str:
    ways = "joins" in found
    if not ways:  # schema 3 and before
        return ""
    parts = []
    for name, join in found["joins"].items():
        points = join["operating_points"]
        point = points.get(SHOWN_POINT, points["default"])["figures"]
        parts.append(
            f"{name}: AUC-ROC {_interval(join['auroc'])}, sensitivity "
            f"{number(point['sensitivity']['value'])}, specificity "
            f"{number(point['specificity']['value'])}"
        )
    return f"{model}, {found['studies']} studies: {'; '.join(parts)}."
