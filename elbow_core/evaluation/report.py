"""One report over any number of prediction files on the same images.

python -m elbow_core.evaluation.report A.csv [B.csv ...] --out DIR
"""

import argparse
import json
import math
import os
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from elbow_core.cli import run
from elbow_core.errors import PredictionsError
from elbow_core.evaluation.figures import confusion_figure, roc_figure
from elbow_core.evaluation.metrics import binary_metrics
from elbow_core.evaluation.pairing import align
from elbow_core.evaluation.predictions import Predictions, read_predictions
from elbow_core.evaluation.style import save

TABLE = ("accuracy", "precision", "recall", "specificity", "f1", "auroc")


def write_report(predictions: Sequence[Predictions], out: Path | str, title: str = "") -> dict:
    """Write report.md, metrics.json and figures/ into ``out`` and return what metrics.json holds.

    An earlier report in ``out`` is replaced once the new one is whole. Raises `PredictionsError`
    if the files do not cover the same images, or if ``out`` is a folder of something else.
    """
    out = Path(out)
    refuse_foreign_folder(out)
    predictions = align(predictions)
    title = title or "Evaluation"
    metrics = [binary_metrics(model.label, model.score) for model in predictions]
    content = {
        "schema": 1,
        "title": title,
        "models": {
            model.model: _json(dict(values))
            for model, values in zip(predictions, metrics, strict=True)
        },
    }
    out.parent.mkdir(parents=True, exist_ok=True)
    aside = out.with_name(f".{out.name}.{os.getpid()}.writing")
    try:
        (aside / "figures").mkdir(parents=True)
        save(
            confusion_figure([p.model for p in predictions], metrics),
            aside / "figures/confusion.png",
        )
        save(roc_figure(predictions), aside / "figures/roc.png")
        (aside / "metrics.json").write_text(json.dumps(content, indent=1, allow_nan=False) + "\n")
        (aside / "report.md").write_text(_markdown(title, predictions, metrics))
        replace_folder(aside, out)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return content


def refuse_foreign_folder(out: Path) -> None:
    """Raise `PredictionsError` unless ``out`` is absent, empty or an earlier report."""
    if out.is_dir() and any(out.iterdir()) and not (out / "metrics.json").is_file():
        raise PredictionsError(f"{out}: holds other files; name a folder that is new or empty")
    if out.exists() and not out.is_dir():
        raise PredictionsError(f"{out}: is a file; name a folder")


def replace_folder(aside: Path, out: Path) -> None:
    """Put ``aside`` in the place of ``out``."""
    old = out.with_name(f".{out.name}.{os.getpid()}.old")
    if out.exists():
        out.rename(old)
    aside.rename(out)
    shutil.rmtree(old, ignore_errors=True)


def _json(value: Any) -> Any:
    """The value with nan as null, which JSON can hold; the reason stands under ``undefined``."""
    if isinstance(value, dict):
        return {key: _json(item) for key, item in value.items()}
    return None if isinstance(value, float) and math.isnan(value) else value


def _markdown(title: str, predictions: Sequence[Predictions], metrics: Sequence) -> str:
    lines = [f"# {title}", "", f"{metrics[0]['n']} images, {metrics[0]['positives']} injured.", ""]
    lines += ["| model | " + " | ".join(TABLE) + " |", "|---" * (len(TABLE) + 1) + "|"]
    for model, values in zip(predictions, metrics, strict=True):
        cells = [f"{values[name]:.3f}" for name in TABLE]
        lines.append("| " + " | ".join([model.model, *cells]) + " |")
    lines += ["", "![Confusion matrices](figures/confusion.png)", ""]
    return "\n".join([*lines, "![ROC curves](figures/roc.png)", ""])


def main(arguments: Sequence[str]) -> int:
    """Command line; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m elbow_core.evaluation.report")
    parser.add_argument("predictions", nargs="+", type=Path, metavar="PREDICTIONS.csv")
    parser.add_argument("--out", required=True, type=Path, metavar="DIR")
    parser.add_argument("--title", default="")
    parser.add_argument("--names", nargs="+", default=[], help="model names, one a file")
    options = parser.parse_args(arguments)
    predictions = [read_predictions(path) for path in options.predictions]
    if options.names:
        if len(options.names) != len(predictions):
            parser.error(f"--names: {len(options.names)} names for {len(predictions)} files")
        named = zip(predictions, options.names, strict=True)
        predictions = [replace(model, model=name) for model, name in named]
    write_report(predictions, options.out, options.title)
    print(options.out / "report.md")
    return 0


if __name__ == "__main__":
    run(main)
