"""A record of two learning curves as a page of Markdown and a figure."""

from typing import Any

import numpy as np

from elbow_core.evaluation.report.figures import COLOURS, canvas, drawn_in_style, panels

EARLY_STEPS = 50  # over which the page compares the two losses


@drawn_in_style
def draw(record: dict[str, Any]) -> Any:
    """Training loss by step and validation AUROC by epoch, both frameworks."""
    figure = canvas(columns=2, width=4.5, height=3.4)
    left, right = panels(figure)
    for (name, curve), colour, style in zip(
        record["courses"].items(), COLOURS[:2], ("-", "--"), strict=True
    ):
        window = max(1, len(curve["loss"]) // 60)
        smooth = np.convolve(curve["loss"], np.ones(window) / window, "valid")
        left.plot(np.arange(window, window + len(smooth)), smooth, style, color=colour, label=name)
        epochs = np.arange(1, len(curve["auroc"]) + 1)
        right.plot(epochs, curve["auroc"], style, color=colour, label=name, marker=".")
    left.set(xlabel="step", ylabel=f"training loss (mean of {window})")
    right.set(xlabel="epoch", ylabel="validation AUROC")
    left.legend()
    return figure


def document(record: dict[str, Any]) -> str:
    """The comparison as a page of Markdown."""
    jax, torch = (record["courses"][name] for name in ("JAX", "PyTorch"))
    rows = [
        f"| {name} | {np.mean(curve['loss'][-record['steps_per_epoch'] :]):.4f} | "
        f"{curve['auroc'][-1]:.4f} ({curve['interval'][0]:.3f} to {curve['interval'][1]:.3f}) | "
        f"{curve['seconds']:.0f} |"
        for name, curve in record["courses"].items()
    ]
    early = np.abs(np.subtract(jax["loss"][:EARLY_STEPS], torch["loss"][:EARLY_STEPS]))
    return "\n".join(
        [
            f"# Learning on real radiographs: {record['network']} in JAX and in PyTorch",
            "",
            f"    {record['command']}",
            "",
            f"On {record['device']}, {record['precision']}, {record['images']} training images of "
            f"{record['size']} pixels, on the same batches and from the same first weights: "
            f"{record['first_weights']}.",
            "",
            f"![Both learning curves]({record['name']}.png)",
            "",
            "| framework | mean loss, last epoch | validation AUROC (95 % interval) | seconds |",
            "|---|---|---|---|",
            *rows,
            "",
            f"Over the first {len(early)} steps the losses differ by at most {early.max():.1e}.",
            "",
        ]
    )
