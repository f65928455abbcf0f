"""Facts for the checklist from the report's content."""

from collections.abc import Mapping, Sequence

from elbow_core.evaluation.report.content import ImageFlow, ModelSummary, ReportContent
from elbow_core.evaluation.report.tables import NAMES, point_name, with_interval
from elbow_core.evaluation.subgroups import UNKNOWN


def report_facts(content: ReportContent) -> dict[str, str]:
    """Return sentences by fact name; empty where the report's content says nothing."""
    return {
        **_data_facts(content),
        **_method_facts(content),
        **_result_facts(content.models),
        "files": "Read: "
        + ", ".join(
            f"{file.file}" + (f" (SHA-256 {file.sha256[:16]})" if file.sha256 else "")
            for file in content.inputs
        )
        + ".",
    }


def _data_facts(content: ReportContent) -> dict[str, str]:
    subgroups, flow = next(iter(content.models.values())).subgroups, content.flow
    groups: dict[str, list[str]] = {}
    for row in subgroups:
        groups.setdefault(row.attribute, []).append(f"{row.group} {row.images}")
    views = [
        _listed("Views by images", groups.get("view")),
        _listed("Body parts by images", groups.get("body part")),
    ]
    unknown = [
        f"Unknown {row.attribute}: {row.images} images."
        for row in subgroups
        if row.group == UNKNOWN
    ]
    return {
        "counts": (
            f"{content.images} images evaluated"
            + (f" of {content.patients} patients" if content.patients else "")
            + f": {content.injured} injured, {content.normal} normal."
        ),
        "rejected": _rejected(flow),
        "split": _split(flow),
        "sources": _listed("Sources by images", groups.get("source")),
        "findings": _listed("Findings by images", groups.get("finding")),
        "views": " ".join(filter(None, views)),
        "subgroups": _listed("Metrics are given by", list(groups)),
        "missing": " ".join([*content.notes, *unknown]),
        "patient_separation": "Patients: no patient is in two partitions."
        if flow.patients_in_two_splits == 0
        else "",
        "labels": "0 is normal, 1 is injury; the manifest gives each image's finding."
        if flow.splits
        else "",
    }


def _rejected(flow: ImageFlow) -> str:
    if flow.rejected is None:
        return ""
    found = f"{flow.found} files found, " if flow.found is not None else ""
    reasons = "".join(f"; {files}: {reason}" for reason, files in flow.reasons)
    return f"{found}{flow.rejected} rejected{reasons}."


def _split(flow: ImageFlow) -> str:
    if not flow.splits:
        return ""
    counts = (
        f"{row.split} {row.images} images, {row.injured} injured, {row.patients} patients"
        for row in flow.splits
    )
    return f"Partitions: {'; '.join(counts)}."


def _method_facts(content: ReportContent) -> dict[str, str]:
    points = "; ".join(
        f"{model}: "
        + ", ".join(
            f"{point_name(name)} {point.threshold:.3f} ({point.chosen_on})"
            for name, point in found.operating_points.items()
        )
        for model, found in content.models.items()
    )
    return {
        "clusters": "Intervals and tests treat images of one patient as dependent."
        if content.patients
        else "",
        "measures": (
            f"{', '.join(NAMES.values())}; ROC, precision-recall, calibration and decision curves."
        ),
        "intervals": (
            "95 % intervals: Wilson on effective sizes for proportions, BCa bootstrap of "
            f"{'patients' if content.patients else 'images'} with {content.draws} draws for the "
            "rest."
        ),
        "comparison": "Areas by DeLong's test, decisions by McNemar's, Holm's adjustment."
        if content.comparisons
        else "",
        "thresholds": f"P(injury). Thresholds: {points}.",
    }


def _result_facts(models: Mapping[str, ModelSummary]) -> dict[str, str]:
    temperatures = [
        f"{model}: temperature {raw.temperature:.3f} fitted on validation; calibration error "
        f"{found.overall['ece']:.3f}, then {raw.after_temperature.ece:.3f}."
        for model, found in models.items()
        for raw in [found.calibration]
        if raw.temperature is not None and raw.after_temperature is not None
    ]
    performance = (
        f"{model}: "
        + ", ".join(
            f"{NAMES[name]} {with_interval(found.metrics[name])}"
            for name in ("auroc", "sensitivity", "specificity")
        )
        + "."
        for model, found in models.items()
    )
    accuracy = (
        f"{model}: accuracy {with_interval(found.metrics['accuracy'])}."
        for model, found in models.items()
    )
    return {
        "temperature": " ".join(temperatures),
        "performance": " ".join(performance),
        "accuracy": " ".join(accuracy),
        "failures": "The worst errors are shown in the report."
        if any(found.worst for found in models.values())
        else "",
    }


def _listed(title: str, names: Sequence[str] | None) -> str:
    return f"{title}: {', '.join(names)}." if names else ""
