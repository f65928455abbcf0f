"""Write diagrams of the four networks and a page with their parameters and multiply-adds.

    python -m scripts.make_architecture --out docs

Seconds on a CPU: the modules are traced with abstract arrays; nothing is computed or compiled.
"""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

from benchmarks.architecture_trace import Box, NetworkTrace, Shape, trace_network
from elbow_core.cli import run
from elbow_core.evaluation.report.figures import COLOURS, GREY, canvas, drawn_in_style, panels
from elbow_core.files import atomic_file, require_output_file
from elbow_jax.models import Backbone, ModelConfig

NETWORKS = get_args(Backbone)
SIZES = (384, 584)  # the paper's pretraining and training sizes, in pixels
TITLES = {
    "convnext_tiny": "ConvNeXt-Tiny",
    "efficientnetv2_s": "EfficientNetV2-S",
    "mobilenetv3_large": "MobileNetV3-Large",
    "fusion": "Fusion",
}
COMMAND = "python -m scripts.make_architecture --out docs"

FILLS = {"cbam": "#FBE3D0", "stage": "#DCEAF5", "other": "#F2F2F2", "head": "#DDF1E9"}
EDGES = {"cbam": COLOURS[1], "stage": COLOURS[0], "other": GREY, "head": COLOURS[2]}
DOTS_PER_INCH = 170  # legible on a page, light in a repository
LINE, PADDING, GAP = 0.15, 0.14, 0.13  # inches


@drawn_in_style
def draw(title: str, network: NetworkTrace) -> Figure:
    """The diagram of a network, top to bottom; the three columns of the fusion join at the head."""
    is_fusion = len(network.backbones) > 1
    columns = network.backbones if is_fusion else {"": network.boxes}
    tallest = max(sum(_height(box, is_fusion) + GAP for box in boxes) for boxes in columns.values())
    joined = [Box("concatenate", "head", (), 1, (network.features,), 0, 0), *network.head]
    height = tallest + 1.0 + (sum(_height(box, True) + GAP for box in joined) if is_fusion else 0.0)
    figure = canvas(width=7.0, height=height)
    axes = panels(figure)[0]
    axes.set(xlim=(0, 7.0), ylim=(-height, 0))
    axes.set_axis_off()
    image = _shape((network.size, network.size, network.channels))
    axes.text(
        0.1,
        -0.15,
        f"{title}: {_short(network.parameters)} parameters, "
        f"{_short(network.multiply_adds)} multiply-adds for an image of {image}",
        weight="bold",
    )
    if not is_fusion:
        for x, text in ((5.5, "output"), (6.3, "parameters"), (6.95, "mult.-adds")):
            axes.text(x, -0.55, text, ha="right", va="center", style="italic", size=7)
        _column(axes, network.boxes, 0.1, 4.35, -0.7, compact=False)
        return figure
    for number, (name, boxes) in enumerate(columns.items()):
        x = 0.1 + number * 2.33
        axes.text(x + 1.05, -0.5, TITLES[name], ha="center", weight="bold")
        bottom = _column(axes, boxes, x, 2.1, -0.7, compact=True)
        axes.plot([x + 1.05] * 2, [bottom, -0.7 - tallest + GAP / 2], "k", lw=0.8)
    middle = -0.7 - tallest + GAP / 2
    axes.plot([1.15, 5.81], [middle, middle], "k", lw=0.8)
    _arrow(axes, 3.48, -0.7 - tallest)
    _column(axes, joined, 2.43, 2.1, -0.7 - tallest, compact=True)
    return figure


def _height(box: Box, compact: bool) -> float:
    return PADDING + LINE * (1 if compact else max(1, len(box.lines)))


def _column(
    axes: Axes, boxes: Sequence[Box], x: float, width: float, top: float, compact: bool
) -> float:
    """Draw boxes from `top` down, and return where the last one ends."""
    for number, box in enumerate(boxes):
        height = _height(box, compact)
        if number:
            _arrow(axes, x + width / 2, top)
        axes.add_patch(
            FancyBboxPatch(
                (x, top - height),
                width,
                height,
                boxstyle="round,pad=0,rounding_size=0.05",
                facecolor=FILLS[box.kind],
                edgecolor=EDGES[box.kind],
                linewidth=1.8 if box.kind == "cbam" else 0.9,
            )
        )
        middle, name = top - height / 2, box.name.upper() if box.kind == "cbam" else box.name
        centred: dict[str, Any] = {"va": "center_baseline"}
        if compact:
            repeated = f" × {box.blocks}" if box.blocks > 1 else ""
            axes.text(x + 0.07, middle, name + repeated, weight="bold", size=7.5, **centred)
            shape = box.lines[0] if box.name == "dropout" else _shape(box.output)
            axes.text(x + width - 0.07, middle, shape, ha="right", size=7, **centred)
        else:
            axes.text(x + 0.07, middle, name, weight="bold", size=7.5, **centred)
            axes.text(x + 0.85, middle, "\n".join(box.lines), size=7, va="center")
            axes.text(5.5, middle, _shape(box.output), ha="right", size=7.5, **centred)
            axes.text(6.3, middle, f"{box.parameters:,}", ha="right", size=7, **centred)
            axes.text(6.95, middle, _short(box.multiply_adds), ha="right", size=7, **centred)
        top -= height + GAP
    return top + GAP


def _arrow(axes: Axes, x: float, end: float) -> None:
    style = {"arrowstyle": "-|>", "color": "k", "lw": 0.8, "shrinkA": 0, "shrinkB": 0}
    axes.annotate("", (x, end), (x, end + GAP), arrowprops=style)


def _shape(shape: Shape) -> str:
    return " × ".join(map(str, shape))


def _short(count: int) -> str:
    for unit, size in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if count >= size:
            return f"{count / size:.2f} {unit}"
    return str(count) if count else "-"


HEADING = f"""# The networks

The networks of `elbow_jax.models`, traced from the modules by

    {COMMAND}

which writes this page and its figures; a test compares the page with a fresh one. Parameters are
those of the grey (one-channel) networks with attention. Multiply-adds count every convolution,
padding included, and every matrix product in one image's forward pass on an accelerator
(`torch.utils.flop_counter` counts each as two operations, and agrees). Feature maps are
rows x columns x channels before global average pooling, at {SIZES[0]} pixels (pretraining) and at
{SIZES[1]} (training).

A part is named as its variables are. `3×3/2 → 24` is a convolution: kernel size, stride unless 1,
output channels; `dense` is a matrix product over the channels; `9 × [ ... ]` is nine equal blocks.
Normalisations, activations, shortcuts and stochastic depth are not listed.
"""


def document(networks: Mapping[str, Sequence[NetworkTrace]]) -> str:
    """The page, from each network's traces at `SIZES`."""
    columns = [f"{name} at {size}" for name in ("multiply-adds", "feature map") for size in SIZES]
    rows = [["network", "parameters", *columns, "vector"]]
    for name, sizes in networks.items():
        maps = [set(map(_shape, one.feature_maps.values())) for one in sizes]
        rows.append(
            [
                f"[{TITLES[name]}](#{TITLES[name].lower()})",
                f"{sizes[0].parameters:,}",
                *(_short(one.multiply_adds) for one in sizes),
                *(", ".join(sorted(each)) for each in maps),
                str(sizes[0].features),
            ]
        )
    text = [HEADING, _table(rows)]
    for name, sizes in networks.items():
        figure = f"![{TITLES[name]}, part by part](figures/architecture_{name}.png)"
        text += [f"## {TITLES[name]}\n", figure + "\n"]
        if name == "fusion":
            text.append("The backbones are those above. The head, on their concatenated vectors:\n")
        rows = [["part", "blocks", *(f"output at {size}" for size in SIZES)]]
        rows[0] += ["parameters", *(f"multiply-adds at {size}" for size in SIZES)]
        parts = [one.head if name == "fusion" else one.boxes for one in sizes]
        for boxes in zip(*parts, strict=True):
            row = [f"`{boxes[0].name}`", "; ".join(boxes[0].lines)]
            row += [*map(_shape, (box.output for box in boxes)), f"{boxes[0].parameters:,}"]
            rows.append(row + [_short(box.multiply_adds) for box in boxes])
        text.append(_table(rows))
    return "\n".join(text)


def _table(rows: Sequence[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join([lines[0], "|" + "---|" * len(rows[0]), *lines[1:], ""])


def main(arguments: Sequence[str]) -> int:
    """Write the diagrams and the page, and print their paths."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--out", type=Path, default=Path("docs"), help="folder to write to")
    out = parser.parse_args(arguments).out
    require_output_file(out / "networks.md", "--out", mark="# The networks\n", make_folder=True)
    targets = {name: out / "figures" / f"architecture_{name}.png" for name in NETWORKS}
    for target in targets.values():
        require_output_file(target, "--out", make_folder=True)
    networks = {
        name: [trace_network(ModelConfig(backbone=name), size) for size in SIZES]
        for name in NETWORKS
    }
    for name, sizes in networks.items():
        with atomic_file(targets[name]) as partial:
            figure = draw(TITLES[name], sizes[0])
            figure.savefig(partial, format="png", dpi=DOTS_PER_INCH, metadata={"Software": None})
        print(targets[name])
    with atomic_file(out / "networks.md") as partial:
        partial.write_text(document(networks))
    print(out / "networks.md")
    return 0


if __name__ == "__main__":
    run(main)
