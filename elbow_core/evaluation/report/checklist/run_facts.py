"""Facts for the checklist from a run's directory: configuration, record and released model."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from elbow_core.config import StrictYamlError, parse_yaml
from elbow_core.errors import ConfigError
from elbow_core.files import parse_json, read_regular
from elbow_core.runs import without_paths

_MAX_BYTES = 1 << 24  # a record grows with every resumption


def read_run(directory: Path | None) -> dict[str, Any]:
    """Read ``config``, ``run`` and ``model`` of a run's directory, those that exist.

    A checklist is for others: the paths in these files are cut to their last part.

    Raises `ConfigError` for a directory with none of them, or a file that cannot be read.
    """
    if directory is None:
        return {}
    found: dict[str, Any] = {}
    for name, path, parse in (
        ("config", directory / "config.yaml", lambda content: parse_yaml(content.decode())),
        ("run", directory / "run.json", parse_json),
        ("model", directory / "model" / "model.json", parse_json),
    ):
        if not path.exists():
            continue
        try:
            content = parse(read_regular(path, _MAX_BYTES))
        except (OSError, ValueError, StrictYamlError) as error:
            raise ConfigError(f"{path}: cannot be read: {error}") from None
        if not isinstance(content, dict):
            raise ConfigError(f"{path}: is not the file of a run; restore it")
        found[name] = without_paths(content)
    if not found:
        raise ConfigError(f"{directory}: holds no config.yaml, run.json or model/model.json")
    return found


def run_facts(run: Mapping[str, Any]) -> dict[str, str]:
    """Return sentences by fact name; empty where the run's files say nothing."""
    config, record, card = run.get("config", {}), run.get("run", {}), run.get("model", {})
    architecture = card.get("architecture") or config.get("model")
    preprocessing = card.get("preprocessing")
    return {
        "preprocessing": _settings("Preprocessing", preprocessing),
        "prediction": _settings("Released model, preprocessing", preprocessing),
        "model": _settings("Network", architecture),
        "ensemble": _ensemble(architecture, card.get("ensemble")),
        "weights": f"Weights with SHA-256 {card['weights_sha256'][:16]}."
        if "weights_sha256" in card
        else "",
        "augmentation": _augmentation(config.get("data", {})),
        "training": _training(config),
        "initial": _initial_weights(config),
        "selection": _selection(card),
        "software": _software(record),
    }


def _ensemble(architecture: Mapping[str, Any] | None, ensemble: Any) -> str:
    if isinstance(ensemble, Mapping):
        members = len(ensemble.get("members", ()))
        return f"Mean of the {ensemble.get('mean_of')} of {members} networks, one a fold."
    fused = architecture and "fusion" in json.dumps(architecture)
    return _settings("Network", architecture) if fused else ""


def _selection(card: Mapping[str, Any]) -> str:
    if "step" not in card or not card.get("validation"):
        return ""
    metrics = _pairs(card["validation"])
    if card.get("ensemble"):
        return f"All folds' networks, each best on its own validation set; out of fold: {metrics}."
    return f"The weights of step {card['step']}, best on validation: {metrics}."


def _augmentation(data: Mapping[str, Any]) -> str:
    if "copies" not in data:
        return ""
    return _settings(
        f"{data['copies']} augmented copies of each training image", data.get("augmentation")
    )


def _training(config: Mapping[str, Any]) -> str:
    optimizer = config.get("optimizer")
    if not optimizer:
        return ""
    return (
        f"{config.get('epochs')} epochs, batch {config.get('batch_size')}, seed "
        f"{config.get('seed')}. {_settings('Optimiser', optimizer)}"
    )


def _initial_weights(config: Mapping[str, Any]) -> str:
    if not config:
        return ""
    init: str | Mapping[str, str] | None = config.get("init")
    if not init:
        return "Random initial weights."
    names = [init] if isinstance(init, str) else list(init.values())
    return f"Started from {', '.join(Path(name).name for name in names)}."


def _software(record: Mapping[str, Any]) -> str:
    commit, versions = record.get("commit"), record.get("versions", {})
    sentences = [
        f"Commit {commit}." if commit else "",
        _settings("Versions", {"python": record.get("python"), **versions}) if versions else "",
    ]
    return " ".join(filter(None, sentences))


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
