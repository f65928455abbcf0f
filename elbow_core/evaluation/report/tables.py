"""Numbers of a summary as cells and tables."""

from collections.abc import Mapping, Sequence
from typing import Any

from elbow_core.evaluation.report.document import Table

NAMES = {
    "accuracy": "Accuracy",
    "precision": "Precision",
    "recall": "Recall",
    "sensitivity": "Sensitivity",
    "specificity": "Specificity",
    "npv": "NPV",
    "f1": "F1 score",
    "kappa": "Cohen's kappa",
    "mcc": "MCC",
    "balanced_accuracy": "Balanced accuracy",
    "auroc": "AUC-ROC",
    "average_precision": "Average precision",
    "brier": "Brier score",
    "ece": "Calibration error",
}
AS_REPORTED = ("accuracy", "precision", "recall", "f1", "auroc")
AS_ANSWERED = ("accuracy", "precision", "recall", "f1", "specificity")
OTHERS = ("specificity", "npv", "balanced_accuracy", "kappa", "mcc")
OF_SCORES = ("average_precision", "brier", "ece")
AT_POINTS = ("sensitivity", "specificity", "precision", "npv")
BY_STUDY = ("accuracy", "sensitivity", "specificity", "auroc")
BY_GROUP = ("accuracy", "sensitivity", "specificity", "auroc")
NONE = "–"


def number(value: float | None, decimals: int = 3) -> str:
    """A fraction with its decimals, or a dash where it is undefined."""
    return NONE if value is None else f"{value:.{decimals}f}"


def with_interval(figure: Mapping[str, Any]) -> str:
    """``0.925 (0.897 to 0.946)``; without ends where there is no interval."""
    value, low, high = figure["value"], figure["low"], figure["high"]
    if value is None or low is None or high is None:
        return number(value)
    return f"{value:.3f} ({low:.3f} to {high:.3f})"


def p_value(p: float | None) -> str:
    """Three decimals, or ``<0.001``."""
    return NONE if p is None else "<0.001" if p < 0.001 else f"{p:.3f}"


def results_table(
    models: Mapping[str, Mapping[str, Any]], names: Sequence[str], caption: str
) -> Table:
    """A row a model, a column a figure, each with its interval."""
    rows = (
        (model, *(with_interval({"value": found[n], **found["intervals"][n]}) for n in names))
        for model, found in models.items()
    )
    return Table(caption, ("Model", *(NAMES[name] for name in names)), tuple(rows))


def answers_table(models: Mapping[str, Mapping[str, Any]], caption: str) -> Table:
    """Figures of generated answers, of the models that answer."""
    rows = (
        (
            model,
            *(with_interval(found["answers"]["figures"][name]) for name in AS_ANSWERED),
            str(found["answers"]["unparsed"]),
        )
        for model, found in models.items()
        if "answers" in found
    )
    header = ("Model", *(NAMES[name] for name in AS_ANSWERED), "Unparsed answers")
    return Table(caption, header, tuple(rows))


def point_name(name: str) -> str:
    """An operating point as a reader would say it."""
    return {
        "youden": "Youden",
        "sensitivity_95": "Sensitivity 0.95",
        "specificity_95": "Specificity 0.95",
    }.get(name, name.replace("_", " ").capitalize())


def points_table(models: Mapping[str, Mapping[str, Any]], caption: str) -> Table:
    """A row for each model and threshold."""
    rows = (
        (
            f"{model}: {point_name(name)}",
            number(point["threshold"]),
            point["chosen_on"],
            *(with_interval(point["figures"][figure]) for figure in AT_POINTS),
        )
        for model, found in models.items()
        for name, point in found["operating_points"].items()
    )
    header = ("Operating point", "Threshold", "Chosen on", *(NAMES[name] for name in AT_POINTS))
    return Table(caption, header, tuple(rows), words=(2,))


def calibration_table(models: Mapping[str, Mapping[str, Any]], caption: str) -> Table:
    """Slope and intercept as the scores are; and after the temperature, where there is one."""
    rows = []
    for model, found in models.items():
        line = found["calibration"]
        rows.append(
            (
                *(model, NONE, number(line["slope"]), number(line["intercept"])),
                *(number(found["brier"]), number(found["ece"])),
            )
        )
        if line["temperature"] is not None:
            after = line["after_temperature"]
            rows.append(
                (
                    f"{model}, after temperature",
                    number(line["temperature"]),
                    *(number(after[name]) for name in ("slope", "intercept", "brier", "ece")),
                )
            )
    header = ("Scores", "Temperature", "Slope", "Intercept", "Brier score", "Calibration error")
    return Table(caption, header, tuple(rows))


def comparison_table(rows: Sequence[Mapping[str, Any]], caption: str) -> Table:
    """First model minus second, by figure."""
    cells = (
        (
            f"{row['first']} - {row['second']}",
            NAMES[row["figure"]],
            with_interval({"value": row["estimate"], **row}),
            row["test"],
            p_value(row["p"]),
            p_value(row["p_holm"]),
        )
        for row in rows
    )
    header = ("Models", "Figure", "Difference", "Test", "p", "p (Holm)")
    return Table(caption, header, tuple(cells), words=(1, 3))


def studies_table(models: Mapping[str, Mapping[str, Any]], caption: str) -> Table:
    """A row for each model and each way from images to a study."""
    rows = (
        (
            f"{model}: {way} of its images",
            *(with_interval(found["studies"][way][name]) for name in BY_STUDY),
        )
        for model, found in models.items()
        for way in ("mean", "highest")
    )
    return Table(caption, ("Study's score", *(NAMES[name] for name in BY_STUDY)), tuple(rows))


def subgroups_table(found: Mapping[str, Any], caption: str) -> Table:
    """One model's figures by subgroup."""
    rows = (
        (
            f"{row['attribute']}: {row['group']}",
            str(row["images"]),
            str(row["injured"]),
            *(with_interval(row["figures"][name]) for name in BY_GROUP),
        )
        for row in found["subgroups"]
    )
    header = ("Subgroup", "Images", "Injured", *(NAMES[name] for name in BY_GROUP))
    return Table(caption, header, tuple(rows))


def reasons(models: Mapping[str, Mapping[str, Any]]) -> tuple[str, ...]:
    """Why figures or intervals of the first tables are missing, one sentence a reason."""
    return tuple(
        f"{model}, {NAMES[name]}: {interval['reason']}."
        for model, found in models.items()
        for name, interval in found["intervals"].items()
        if interval["reason"] and name != "sensitivity"
    )
