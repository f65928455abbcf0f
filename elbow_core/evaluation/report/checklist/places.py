"""Where the files of a study answer an item: a fact's sentence, and the file or section of it."""

from typing import NamedTuple

SECTIONS = {
    "results": "Results",
    "external": "Internal and external",
    "recalibration": "Internal and external",
    "gaps": "Subgroups",
    "abstention": "Left to the reader",
    "studies": "By study",
}
"""Sections of a report, by fact; facts of this table may come from further reports too."""

PLACES = {
    "files": "report: Files read",
    "sources": "manifest.csv; report: Subgroups",
    "rejected": "rejected.csv; report: Flow of images",
    "findings": "manifest.csv; report: Subgroups",
    "preprocessing": "model/model.json",
    "labels": "manifest.csv",
    "missing": "report: notes, Subgroups",
    "split": "manifest.csv; report: Flow of images",
    "augmentation": "config.yaml",
    "model": "model/model.json",
    "training": "config.yaml",
    "clusters": "report: Methods",
    "measures": "report: Results, Curves, Calibration",
    "intervals": "report: Methods",
    "comparison": "report: Comparison of models",
    "temperature": "report: Calibration",
    "prediction": "model/model.json",
    "counts": "report: first lines",
    "subgroups": "report: Subgroups",
    "thresholds": "report: Operating points",
    "software": "run.json",
    "weights": "model/model.json",
    "initial": "config.yaml",
    "selection": "model/model.json",
    "ensemble": "model/model.json",
    "views": "manifest.csv; report: Subgroups",
    "patient_separation": "report: Flow of images",
    "performance": "report: Results",
    "accuracy": "report: Results",
    "failures": "report: Worst errors",
    **{name: f"report: {section}" for name, section in SECTIONS.items()},
}


class Fact(NamedTuple):
    """A sentence that answers an item, and where the files say it."""

    text: str
    where: str
