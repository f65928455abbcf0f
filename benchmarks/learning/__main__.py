"""Train a network in JAX and its twin in PyTorch side by side, from the same weights, on the same
batches, by the same recipe, and draw both courses.

    python -m benchmarks.learning --config configs/fracatlas/compare.yaml --out docs/benchmarks

Needs the prepared data of the configuration, torch and timm. Two cores: the small network, some
ten minutes. On a GPU the full one, with PyTorch under bfloat16 autocast where JAX computes in it:
`--model.variant full --precision bfloat16`. What cannot be shared is off: dropout and stochastic
depth draw from each framework's own generator.
"""

import functools
import json
import sys
import time
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import jax
import numpy as np
import torch
from torch.nn.functional import binary_cross_entropy_with_logits

from elbow_core.cli import run
from elbow_core.config import load_config, take_config_path
from elbow_core.dataset.prepared import PreparedData, open_prepared
from elbow_core.errors import ConfigError
from elbow_core.evaluation.report.style import COLOURS, canvas, drawn_in_style, panels
from elbow_core.evaluation.statistics.intervals import score_intervals
from elbow_core.evaluation.statistics.metrics import auroc
from elbow_core.files import atomic_file
from elbow_jax import networks, porting
from elbow_jax.config import TrainConfig
from elbow_jax.data import scoring_batches
from elbow_jax.models import build_model
from elbow_jax.porting.torchvision_operators import define_missing_torchvision_operators
from elbow_jax.runtime import devices as parallel
from elbow_jax.runtime import startup
from elbow_jax.scoring.batches import sigmoid
from elbow_jax.steps import GREY_DEVIATION, GREY_MEAN
from elbow_jax.training.engine import build_engine, score_split
from elbow_jax.training.loop import open_batches

EARLY = 50  # steps over which the two losses are compared


def train_jax(config: TrainConfig, data: PreparedData) -> tuple[dict[str, Any], dict[str, Any]]:
    """The course of the Flax network, and its variables before the first step."""
    engine = build_engine(config, data)
    begin = jax.device_get(engine.state.variables)
    state, batches, course = engine.state, open_batches(config, data), _course()
    for step in range(1, config.epochs * engine.steps_per_epoch + 1):
        batch = parallel.to_devices(next(batches), engine.mesh)
        state, metrics = engine.train_step(state, batch)
        course["loss"].append(float(metrics["loss"]))
        if not step % engine.steps_per_epoch:
            labels, logits = score_split(engine, state, data, config.batch_size, "validation")
            course["auroc"].append(auroc(labels, sigmoid(logits)))
            _tell("JAX", course)
    labels, logits = score_split(engine, state, data, config.batch_size, "validation")
    return _finish(course, labels, sigmoid(logits)), begin


def train_torch(
    config: TrainConfig, data: PreparedData, begin: dict[str, Any], steps_per_epoch: int
) -> dict[str, Any]:
    """The course of the twin from the same variables."""
    define_missing_torchvision_operators()
    from elbow_jax.porting.torch_twin import build_twin

    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    half = networks.compute_dtype(config.precision) != np.float32
    context = (
        functools.partial(torch.autocast, device.type, torch.bfloat16) if half else nullcontext
    )
    twin = build_twin(config.model)
    tensors = porting.to_torch(begin, build_model(config.model))
    twin.load_state_dict({name: torch.from_numpy(value) for name, value in tensors.items()})
    twin = twin.to(device).to(memory_format=torch.channels_last)  # pyright: ignore
    recipe = config.optimizer
    optimizer = torch.optim.SGD(
        twin.parameters(),
        lr=recipe.learning_rate,  # pyright: ignore[reportArgumentType]
        momentum=recipe.momentum,
        weight_decay=recipe.weight_decay,
    )
    restarts = torch.optim.lr_scheduler.CosineAnnealingWarmRestarts(
        optimizer, recipe.warm_restarts.t_0, recipe.warm_restarts.t_mult
    )

    def logits_of(image: np.ndarray) -> torch.Tensor:
        pixels = torch.from_numpy(image).to(device).permute(0, 3, 1, 2).float() / 255
        with context():
            return twin((pixels - GREY_MEAN) / GREY_DEVIATION)[0].float()

    batches, course = open_batches(config, data), _course()
    labels = np.asarray([data.rows[at].label for at in data.positions("validation")])
    scores = np.empty(0)
    for step in range(config.epochs * steps_per_epoch):
        batch = next(batches)
        restarts.step(step / steps_per_epoch)  # pyright: ignore[reportArgumentType]
        twin.train()
        wanted = torch.from_numpy(batch["label"]).to(device).float()
        loss = binary_cross_entropy_with_logits(logits_of(batch["image"]), wanted)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        course["loss"].append(loss.item())
        if not (step + 1) % steps_per_epoch:
            twin.eval()
            with torch.no_grad():
                parts = [
                    logits_of(part["image"]).cpu().numpy()[part["weight"] > 0]
                    for part in scoring_batches(data, "validation", batch_size=config.batch_size)
                ]
            scores = sigmoid(np.concatenate(parts))
            course["auroc"].append(auroc(labels, scores))
            _tell("torch", course)
    return _finish(course, labels, scores)


def _course() -> dict[str, Any]:
    return {"began": time.monotonic(), "loss": [], "auroc": []}


def _finish(course: dict[str, Any], labels: np.ndarray, scores: np.ndarray) -> dict[str, Any]:
    course["seconds"] = time.monotonic() - course.pop("began")
    interval = score_intervals(labels, scores, np.arange(len(labels)), 2000, 0)["auroc"]
    course["interval"] = [interval.low, interval.high]
    return course


def _tell(name: str, course: dict[str, Any]) -> None:
    epoch, loss = len(course["auroc"]), course["loss"][-1]
    print(f"{name}: epoch {epoch}  loss {loss:.4f}  AUROC {course['auroc'][-1]:.4f}", flush=True)


@drawn_in_style
def draw(record: dict[str, Any]) -> Any:
    """Loss by step and validation AUROC by epoch, both frameworks."""
    figure = canvas(columns=2, width=4.5, height=3.4)
    left, right = panels(figure)
    for (name, course), colour, style in zip(
        record["courses"].items(), COLOURS[:2], ("-", "--"), strict=True
    ):
        window = max(1, len(course["loss"]) // 60)
        smooth = np.convolve(course["loss"], np.ones(window) / window, "valid")
        left.plot(np.arange(window, window + len(smooth)), smooth, style, color=colour, label=name)
        epochs = np.arange(1, len(course["auroc"]) + 1)
        right.plot(epochs, course["auroc"], style, color=colour, label=name, marker=".")
    left.set(xlabel="step", ylabel=f"training loss (mean of {window})")
    right.set(xlabel="epoch", ylabel="validation AUROC")
    left.legend()
    return figure


def summary(record: dict[str, Any]) -> str:
    """The comparison as a page of Markdown."""
    ours, theirs = (record["courses"][name] for name in ("JAX", "PyTorch"))
    rows = [
        f"| {name} | {np.mean(course['loss'][-record['steps_per_epoch'] :]):.4f} | "
        f"{course['auroc'][-1]:.4f} ({course['interval'][0]:.3f} to {course['interval'][1]:.3f}) | "
        f"{course['seconds']:.0f} |"
        for name, course in record["courses"].items()
    ]
    early = np.abs(np.subtract(ours["loss"][:EARLY], theirs["loss"][:EARLY]))
    return "\n".join(
        [
            f"# Learning on real radiographs: {record['network']} in JAX and in PyTorch",
            "",
            f"    {record['command']}",
            "",
            f"On {record['device']}, {record['precision']}, {record['images']} training images of "
            f"{record['size']} pixels, from the same random weights and on the same batches.",
            "",
            f"![Both courses]({record['name']}.png)",
            "",
            "| framework | mean loss, last epoch | validation AUROC (95 % interval) | seconds |",
            "|---|---|---|---|",
            *rows,
            "",
            f"Over the first {len(early)} steps the losses differ by at most {early.max():.1e}.",
            "",
        ]
    )


def main(arguments: Sequence[str]) -> int:
    """Train both, write `learning_<network>.{json,md,png}`."""
    words = list(arguments)
    if "--out" not in words[:-1]:
        raise ConfigError("--out: give the directory of the results")
    at = words.index("--out")
    out = Path(words.pop(at + 1))
    words.pop(at)
    path, overrides = take_config_path(words)
    config = load_config(TrainConfig, path, overrides)
    if isinstance(config.optimizer.learning_rate, dict) or config.init is not None:
        raise ConfigError(f"{path}: init and rates by group are not compared here")
    still = replace(config.model, dropout=0.0, drop_path=0.0)
    config = config.model_copy(update={"model": still})
    startup.begin()
    data = open_prepared(config.data.prepared)
    ours, begin = train_jax(config, data)
    steps = len(ours["loss"]) // config.epochs
    theirs = train_torch(config, data, begin, steps)
    name = f"learning_{config.model.backbone}_{config.model.variant}"
    device = jax.devices()[0]
    record = {
        "name": name,
        "command": f"python -m benchmarks.learning {' '.join(sys.argv[1:])}",
        "device": "a CPU" if device.platform == "cpu" else device.device_kind,
        "network": f"{config.model.backbone} ({config.model.variant})",
        "precision": np.dtype(networks.compute_dtype(config.precision)).name,
        "images": len(data.positions("train")),
        "size": data.archive.size,
        "steps_per_epoch": steps,
        "versions": {"jax": jax.__version__, "torch": torch.__version__},
        "courses": {"JAX": ours, "PyTorch": theirs},
    }
    out.mkdir(parents=True, exist_ok=True)
    with atomic_file(out / f"{name}.json") as partial:
        partial.write_text(json.dumps(record) + "\n")
    with atomic_file(out / f"{name}.png") as partial:
        draw(record).savefig(partial, format="png", dpi=150)
    with atomic_file(out / f"{name}.md") as partial:
        partial.write_text(summary(record))
    print(summary(record))
    return 0


if __name__ == "__main__":
    run(main)
