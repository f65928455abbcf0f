"""Facts for the checklist from further results of the same study, in folders of their own."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from elbow_core.errors import PredictionsError
from elbow_core.evaluation.folds import FOLDS_FILE, read_folds, spread
from elbow_core.evaluation.report.checklist.metrics_facts import metrics_facts, results_fact
from elbow_core.evaluation.report.checklist.places import SECTIONS, Fact
from elbow_core.evaluation.report.content import is_metrics_json
from elbow_core.files import read_json

METRICS, READERS, LOCALISATION = "metrics.json", "readers.json", "localisation.json"
_MAX_BYTES = 1 << 26


def read_evidence(folders: Sequence[Path]) -> dict[str, list[Fact]]:
    """Return facts by name from folders of results.

    Each is a report of this command, a run of `elbow_jax.crossval`, or a report of
    `elbow_core.evaluation.readers` or `elbow_core.evaluation.localisation`.

    Raises `PredictionsError` for a folder that is none of these, or a file that cannot be read.
    """
    found: dict[str, list[Fact]] = {}
    for folder in folders:
        named = _facts(folder)
        for name, fact in named.items():
            found.setdefault(name, []).append(fact)
    return found


def _facts(folder: Path) -> dict[str, Fact]:
    shown = "/".join(folder.absolute().parts[-2:])
    if (folder / FOLDS_FILE).is_file():
        return {"folds": Fact(_folds(folder), f"{shown}/{FOLDS_FILE}")}
    if (folder / METRICS).is_file():
        metrics = _read(folder / METRICS)
        if not is_metrics_json(metrics):
            raise PredictionsError(f"{folder / METRICS}: is no report of ours; write it again")
        texts = {"results": results_fact(metrics), **metrics_facts(metrics)}
        return {
            name: Fact(text, f"{shown}/report.html: {SECTIONS[name]}")
            for name, text in texts.items()
            if text
        }
    if (folder / READERS).is_file():
        return {"readers": Fact(_readers(folder / READERS), f"{shown}/readers.json")}
    if (folder / LOCALISATION).is_file():
        text = _localisation(folder / LOCALISATION)
        return {"localisation": Fact(text, f"{shown}/localisation.json")}
    raise PredictionsError(
        f"{folder}: holds no {METRICS}, {FOLDS_FILE}, {READERS} or {LOCALISATION}; give the folder "
        "of a report, of a run of crossval, or of a report on readers or on heat maps"
    )


def _folds(run: Path) -> str:
    folds = read_folds(run)
    mean, deviation = spread(folds, "auroc")
    repeats = len({fold.repeat for fold in folds})
    return (
        f"Cross-validation by patient: {len(folds)} folds"
        + (f" in {repeats} repeats" if repeats > 1 else "")
        + f", each image scored by a network that has not learnt from its patient. AUC-ROC of the "
        f"folds: mean {mean:.3f}, standard deviation {deviation:.3f} (no standard error)."
    )


def _readers(path: Path) -> str:
    content = _of_kind(path, "readers", ("readers", "modalities", "cases", "population"))
    return (
        f"{len(content['readers'])} readers, {content['cases']} cases, modalities "
        f"{', '.join(content['modalities'])}; generalised to {content['population']}."
    )


def _localisation(path: Path) -> str:
    content = _of_kind(path, "localisation", ("sets",))
    return f"Heat maps measured against boxes: {', '.join(content['sets'])}."


def _of_kind(path: Path, kind: str, keys: Sequence[str]) -> dict[str, Any]:
    content = _read(path)
    if not (
        isinstance(content, dict)
        and content.get("kind") == kind
        and all(key in content for key in keys)
    ):
        raise PredictionsError(f"{path}: is no file of ours; write it again")
    return content


def _read(path: Path) -> Any:
    try:
        return read_json(path, _MAX_BYTES)
    except OSError as error:
        raise PredictionsError(f"{path}: cannot be read: {error.strerror or error}") from error
    except ValueError as error:
        raise PredictionsError(f"{path}: cannot be read: {error}") from error
