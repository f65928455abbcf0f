"""Plot the learning rates of the paper's three stages, from `configs/paper`.

    python -m scripts.make_schedule_figure --out docs/figures

Seconds on a CPU.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from elbow_core.cli import run
from elbow_core.config import load_config
from elbow_core.evaluation.report.figures import COLOURS, canvas, drawn_in_style, panels, save
from elbow_core.files import atomic_file, require_output_file
from elbow_jax.config import TrainConfig
from elbow_jax.optimizer import WarmRestarts

NAME = "learning_rates.png"
CONFIGS = Path(__file__).parent.parent / "configs/paper"
STAGES = {
    "pretraining": ("pretrain_convnext", "pretrain_efficientnet", "pretrain_mobilenet"),
    "training": ("train_convnext", "train_efficientnet", "train_mobilenet"),
    "fusion": ("fuse",),
}
STEPS = 100  # an epoch; any number gives the same curve


@drawn_in_style
def draw() -> Figure:
    """One panel for each stage, one curve for each learning rate, over the stage's epochs."""
    figure = canvas(columns=len(STAGES), width=3.0, height=3.3)
    for axes, (stage, names) in zip(panels(figure), STAGES.items(), strict=True):
        rates: dict[str, tuple[float, TrainConfig]] = {}
        for name in names:
            config = load_config(TrainConfig, CONFIGS / f"{name}.yaml")
            rate = config.optimizer.learning_rate
            if isinstance(rate, dict):
                for group, value in rate.items():
                    rates["head" if group == "head" else "each backbone"] = value, config
            else:
                rates[config.model.backbone] = rate, config
        for (label, (rate, config)), colour in zip(rates.items(), COLOURS, strict=False):
            restarts = config.optimizer.warm_restarts
            schedule = WarmRestarts(rate, restarts.t_0, restarts.t_mult, STEPS)
            steps = np.arange(config.epochs * STEPS)
            axes.plot(steps / STEPS, schedule.at(steps), color=colour, label=label)
        axes.set(title=stage, xlabel="epoch", ylabel="learning rate")
        axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.2))
    return figure


def main(arguments: Sequence[str]) -> int:
    """Write the figure and print its path."""
    parser = argparse.ArgumentParser(prog="python -m scripts.make_schedule_figure")
    parser.add_argument("--out", type=Path, default=Path("docs/figures"), help="folder to write to")
    out = parser.parse_args(arguments).out
    require_output_file(out / NAME, "--out", make_folder=True)
    with atomic_file(out / NAME) as partial:
        save(draw(), partial)
    print(out / NAME)
    return 0


if __name__ == "__main__":
    run(main)
