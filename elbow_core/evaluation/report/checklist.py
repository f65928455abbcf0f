"""A reporting checklist: what the run's own files answer, and what is left to the author."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from elbow_core.config.strict_yaml import StrictYamlError, parse_yaml
from elbow_core.errors import ConfigError
from elbow_core.evaluation.report.checklist_items import CLAIM, TRIPOD_AI
from elbow_core.evaluation.report.document import Block, Heading, Paragraph, Table
from elbow_core.evaluation.report.tables import NAMES, point_name, with_interval
from elbow_core.evaluation.subgroups import UNKNOWN

FOR_AUTHOR = "For the author."
GUIDELINES = (
    (
        "TRIPOD+AI",
        "After Collins et al., TRIPOD+AI statement, BMJ 385:e078378 (2024).",
        TRIPOD_AI,
    ),
    (
        "CLAIM 2024",
        "After Tejani et al., Checklist for Artificial Intelligence in Medical Imaging: 2024 "
        "update, Radiology: Artificial Intelligence 6:e240300 (2024).",
        CLAIM,
    ),
)


def read_run(directory: Path | None) -> dict[str, Any]:
    """``config``, ``run`` and ``model`` of a run's directory, as far as they are there.

    Raises `ConfigError` for a directory with none of them, or a file that cannot be read.
    """
    if directory is None:
        return {}
    found: dict[str, Any] = {}
    for name, path, parse in (
        ("config", directory / "config.yaml", parse_yaml),
        ("run", directory / "run.json", json.loads),
        ("model", directory / "model" / "model.json", json.loads),
    ):
        if not path.is_file():
            continue
        try:
            found[name] = parse(path.read_text(encoding="utf-8"))
        except (OSError, ValueError, StrictYamlError) as error:
            raise ConfigError(f"{path}: cannot be read: {error}") from None
    if not found:
        raise ConfigError(f"{directory}: holds no config.yaml, run.json or model/model.json")
    return found


def checklist_blocks(content: Mapping[str, Any], run: Mapping[str, Any]) -> list[Block]:
    """The checklist as a document: one table a guideline."""
    known = facts(content, run)
    blocks: list[Block] = [
        Paragraph(
            "Filled from the files of the run and its report; the items are in our own words. What "
            "the files say may be a part of the answer only. This is a help to the author, who "
            "answers for every line, and no substitute for the guidelines."
        )
    ]
    for name, source, items in GUIDELINES:
        rows = tuple((number, asked, _answer(facts_of, known)) for number, asked, facts_of in items)
        answered = sum(row[2] != FOR_AUTHOR for row in rows)
        blocks += [
            Heading(2, name),
            Paragraph(f"{source} Files speak to {answered} of {len(rows)} items."),
            Table(f"{name} items", ("Item", "Asks for", "From the files"), rows, words=(1, 2)),
        ]
    return blocks


def _answer(names: Sequence[str], known: Mapping[str, str]) -> str:
    found = [known[name] for name in names if known.get(name)]
    return " ".join(found) if found else FOR_AUTHOR


def facts(content: Mapping[str, Any], run: Mapping[str, Any]) -> dict[str, str]:
    """Sentences that the files support, by the names the items use; '' where they are silent."""
    return {**_of_report(content), **_of_run(run)}


def _of_report(content: Mapping[str, Any]) -> dict[str, str]:
    models, flow = content["models"], content["flow"]
    first = next(iter(models.values()))
    groups: dict[str, list[str]] = {}
    for row in first["subgroups"]:
        groups.setdefault(row["attribute"], []).append(f"{row['group']} {row['images']}")
    points = "; ".join(
        f"{model}: "
        + ", ".join(
            f"{point_name(name)} {point['threshold']:.3f} ({point['chosen_on']})"
            for name, point in found["operating_points"].items()
        )
        for model, found in models.items()
    )
    temperatures = [
        f"{model}: temperature {line['temperature']:.3f} fitted on validation; calibration error "
        f"{found['ece']:.3f}, then {line['after_temperature']['ece']:.3f}."
        for model, found in models.items()
        for line in [found["calibration"]]
        if line["temperature"] is not None
    ]
    patients = content["patients"]
    found_words = f"{flow['found']} files found, " if flow["found"] is not None else ""
    return {
        "counts": (
            f"{content['images']} images evaluated"
            + (f" of {patients} patients" if patients else "")
            + f": {content['injured']} injured, {content['normal']} normal."
        ),
        "rejected": ""
        if flow["rejected"] is None
        else f"{found_words}{flow['rejected']} rejected"
        + "".join(f"; {row['files']}: {row['reason']}" for row in flow["reasons"])
        + ".",
        "split": "Partitions: "
        + "; ".join(
            f"{row['split']} {row['images']} images, {row['injured']} injured, "
            f"{row['patients']} patients"
            for row in flow["splits"]
        )
        + "."
        if flow["splits"]
        else "",
        "sources": _listed("Sources by images", groups.get("source")),
        "findings": _listed("Findings by images", groups.get("finding")),
        "views": " ".join(
            words
            for words in (
                _listed("Views by images", groups.get("view")),
                _listed("Body parts by images", groups.get("body part")),
            )
            if words
        ),
        "subgroups": _listed("Figures are given by", list(groups)),
        "missing": " ".join(
            [
                *content["notes"],
                *(
                    f"Unknown {row['attribute']}: {row['images']} images."
                    for row in first["subgroups"]
                    if row["group"] == UNKNOWN
                ),
            ]
        ),
        "apart": "Patients: no patient is in two partitions."
        if flow["patients_in_two_splits"] == 0
        else "",
        "labels": "0 is normal, 1 is injury; the manifest gives each image's finding."
        if flow["splits"]
        else "",
        "clusters": "Intervals and tests take images of one patient as dependent."
        if patients
        else "",
        "measures": (
            f"{', '.join(NAMES.values())}; ROC, precision-recall, calibration and decision curves."
        ),
        "intervals": (
            "95 % intervals: Wilson on effective sizes for proportions, BCa bootstrap of "
            f"{'patients' if patients else 'images'} with {content['draws']} draws for the rest."
        ),
        "comparison": "Areas by DeLong's test, decisions by McNemar's, Holm's adjustment."
        if content["comparisons"]
        else "",
        "temperature": " ".join(temperatures),
        "thresholds": f"P(injury). Thresholds: {points}.",
        "performance": " ".join(
            f"{model}: "
            + ", ".join(
                f"{NAMES[name]} {with_interval({'value': found[name], **found['intervals'][name]})}"
                for name in ("auroc", "sensitivity", "specificity")
            )
            + "."
            for model, found in models.items()
        ),
        "accuracy": " ".join(
            f"{model}: accuracy "
            f"{with_interval({'value': found['accuracy'], **found['intervals']['accuracy']})}."
            for model, found in models.items()
        ),
        "failures": "The worst errors are shown in the report."
        if any(found["worst"] for found in models.values())
        else "",
        "files": "Read: "
        + ", ".join(
            f"{row['file']}" + (f" (SHA-256 {row['sha256'][:16]})" if row["sha256"] else "")
            for row in content["inputs"]
        )
        + ".",
    }


def _of_run(run: Mapping[str, Any]) -> dict[str, str]:
    config, record, card = run.get("config", {}), run.get("run", {}), run.get("model", {})
    data, versions = config.get("data", {}), record.get("versions", {})
    architecture = card.get("architecture") or config.get("model")
    preprocessing = card.get("preprocessing")
    optimizer = config.get("optimizer")
    commit = record.get("commit")
    return {
        "preprocessing": _settings("Preprocessing", preprocessing),
        "prediction": _settings("Released model, preprocessing", preprocessing),
        "model": _settings("Network", architecture),
        "ensemble": _settings("Network", architecture)
        if architecture and "fusion" in json.dumps(architecture)
        else "",
        "weights": f"Weights with SHA-256 {card['weights_sha256'][:16]}."
        if "weights_sha256" in card
        else "",
        "augmentation": _settings(
            f"{data['copies']} augmented copies of each training image", data.get("augmentation")
        )
        if "copies" in data
        else "",
        "training": ""
        if not optimizer
        else f"{config.get('epochs')} epochs, batch {config.get('batch_size')}, seed "
        f"{config.get('seed')}. {_settings('Optimiser', optimizer)}",
        "initial": ""
        if not config
        else f"Started from {_starts(config['init'])}."
        if config.get("init")
        else "Random initial weights.",
        "selection": f"The weights of step {card['step']}, best on validation: "
        f"{_pairs(card['validation'])}."
        if "step" in card and card.get("validation")
        else "",
        "software": " ".join(
            words
            for words in (
                f"Commit {commit}." if commit else "",
                _settings("Versions", {"python": record.get("python"), **versions})
                if versions
                else "",
            )
            if words
        ),
    }


def _starts(init: str | Mapping[str, str]) -> str:
    """The name of the run or weights that a run began with, or of each of its backbones'."""
    names = [init] if isinstance(init, str) else list(init.values())
    return ", ".join(Path(name).name for name in names)


def _listed(title: str, names: Sequence[str] | None) -> str:
    return f"{title}: {', '.join(names)}." if names else ""


def _settings(title: str, settings: Mapping[str, Any] | None) -> str:
    return f"{title}: {_pairs(settings)}." if settings else ""


def _pairs(settings: Mapping[str, Any]) -> str:
    parts = []
    for key, value in settings.items():
        if isinstance(value, Mapping):
            parts.append(f"{key} ({_pairs(value)})")
        elif isinstance(value, float):
            parts.append(f"{key} {value:.4g}")
        elif value is not None:
            parts.append(f"{key} {value}")
    return ", ".join(parts)
