"""One run as a row: its state, its settings and its metrics, read from its own files.

The files are those that `elbow_jax.train` and `vlm_torch.finetune` both write: ``config.yaml``,
``run.json``, ``metrics.jsonl``, ``report_test/metrics.json``. Their schemas are not needed, so that
runs of earlier versions can be compared too.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from elbow_core.config import StrictYamlError, parse_yaml
from elbow_core.errors import ConfigError
from elbow_core.files import parse_json, read_json, read_regular
from elbow_core.runs.directory import CONFIG, METRICS
from elbow_core.runs.record import read_record

RESULTS = ("model", "adapter")
"""Folders of which a finished run has one: a released model, a LoRA adapter."""

_REPORT = Path("report_test", "metrics.json")
_TEST_METRICS = ("auroc", "accuracy", "sensitivity", "specificity")
_MAX_CONFIG, _MAX_LOG, _MAX_REPORT = 1 << 20, 1 << 30, 1 << 26

Number = int | float


@dataclass(frozen=True)
class RunSummary:
    """What the table says of one run.

    Attributes:
        path: of the run, as it was found.
        state: ``finished`` or ``unfinished``.
        step: of the last row of its log; None before the first.
        began: date and time, ISO 8601 in UTC; empty where the record does not say.
        settings: values of the configuration by dotted key, without ``run``.
        metrics: by ``validation.NAME`` and ``test.NAME``; what is undefined is left out.
        problems: files that could not be read, one line each; what they would say is left out.
    """

    path: Path
    state: str
    step: int | None
    began: str
    settings: Mapping[str, Any]
    metrics: Mapping[str, Number]
    problems: tuple[str, ...]


def summarise(run: Path) -> RunSummary:
    """Read one run.

    The validation metrics are those of the epoch whose weights a run releases: of the highest
    AUROC, or, of a run that logs none, of the lowest loss. The test metrics are those of
    ``report_test``, with the interval of the AUROC.

    Raises:
        ConfigError: if its configuration or its record cannot be read; the message names the file.
    """
    settings = _settings(run / CONFIG)
    began = read_record(run).get("began", "")
    problems, metrics, step = [], {}, None
    for name, read in ((METRICS, _validation), (str(_REPORT), _test)):
        try:
            found = read(run)
        except FileNotFoundError:
            continue
        except OSError as error:
            problems.append(f"{run / name}: cannot be read: {error.strerror}")
        except ValueError as error:
            problems.append(f"{run / name}: {error}")
        else:
            step = found.pop("step", step)
            metrics |= found
    finished = any((run / name).is_dir() for name in RESULTS)
    return RunSummary(
        run,
        "finished" if finished else "unfinished",
        step,
        began if isinstance(began, str) else "",
        settings,
        metrics,
        tuple(problems),
    )


def _settings(file: Path) -> dict[str, Any]:
    try:
        values = parse_yaml(read_regular(file, _MAX_CONFIG).decode("utf-8-sig"))
    except OSError as error:
        raise ConfigError(f"{file}: cannot be read: {error.strerror}") from error
    except (StrictYamlError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file}: is not a configuration: {error}") from error
    if not isinstance(values, dict):
        raise ConfigError(f"{file}: is not a mapping of keys to values")
    return {key: value for key, value in _flat(values) if key != "run"}


def _flat(tree: Mapping[str, Any], prefix: str = "") -> Iterable[tuple[str, Any]]:
    """Yield the values of a tree by dotted key; an empty mapping is a value."""
    for name, value in tree.items():
        if isinstance(value, Mapping) and value:
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _validation(run: Path) -> dict[str, Any]:
    """Return the metrics of the best epoch, and the last step."""
    lines = read_regular(run / METRICS, _MAX_LOG).splitlines(keepends=True)
    # A killed run can leave an incomplete last line.
    rows = [_row(number, line) for number, line in enumerate(lines, 1) if line.endswith(b"\n")]
    found: dict[str, Any] = {"step": rows[-1]["step"]} if rows else {}
    epochs = [
        {"epoch": row.get("epoch"), **row[name]}
        for row in rows
        for name in ("validation", "validation_average")
        if isinstance(row.get(name), dict)
    ]
    judged = [epoch for epoch in epochs if _is_number(epoch.get("auroc"))]
    losses = [epoch for epoch in epochs if _is_number(epoch.get("loss"))]
    if judged:
        best = max(judged, key=lambda epoch: epoch["auroc"])
    elif losses:
        best = min(losses, key=lambda epoch: epoch["loss"])
    else:
        return found
    return found | {f"validation.{name}": best[name] for name in best if _is_number(best[name])}


def _row(number: int, line: bytes) -> dict[str, Any]:
    try:
        row = parse_json(line)
    except ValueError as error:
        raise ValueError(f"line {number} {error}") from error
    if not (isinstance(row, dict) and type(row.get("step")) is int):
        raise ValueError(f"line {number} is not a row of the log of a run")
    return row


def _test(run: Path) -> dict[str, Any]:
    content = read_json(run / _REPORT, _MAX_REPORT)
    models = content.get("models") if isinstance(content, dict) else None
    if not isinstance(models, dict):
        raise ValueError("is not the metrics.json of a report")
    if len(models) > 1 and run.name not in models:
        raise ValueError(f"is a report on several models, none of them named {run.name}")
    model = models.get(run.name) or next(iter(models.values()), None)
    if not isinstance(model, dict):
        raise ValueError("is not the metrics.json of a report")
    found = {name: model.get(name) for name in _TEST_METRICS}
    intervals = model.get("intervals")
    interval = intervals.get("auroc") if isinstance(intervals, dict) else None
    if isinstance(interval, dict):
        found |= {f"auroc.{end}": interval.get(end) for end in ("low", "high")}
    return {f"test.{name}": value for name, value in found.items() if _is_number(value)}


def _is_number(value: Any) -> bool:
    return type(value) in (int, float)
