"""The report's figures; each takes arrays and returns a matplotlib figure."""

from collections.abc import Sequence

from matplotlib.figure import Figure

from elbow_core.evaluation.curves import roc_curve
from elbow_core.evaluation.metrics import BinaryMetrics, auroc
from elbow_core.evaluation.predictions import Predictions
from elbow_core.evaluation.style import canvas, line_style, panels


def confusion_figure(titles: Sequence[str], metrics: Sequence[BinaryMetrics]) -> Figure:
    """One 2 x 2 matrix a panel: counts, and the share of the row's class."""
    figure = canvas(columns=len(titles), width=2.4, height=2.3)
    for axes, title, values in zip(panels(figure), titles, metrics, strict=True):
        counts = [[values["tn"], values["fp"]], [values["fn"], values["tp"]]]
        shares = [[count / max(sum(row), 1) for count in row] for row in counts]
        axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
        for row in (0, 1):
            for column in (0, 1):
                share = shares[row][column]
                axes.text(
                    column,
                    row,
                    f"{counts[row][column]}\n{share:.1%}",
                    ha="center",
                    va="center",
                    color="white" if share > 0.55 else "black",
                )
        axes.set_xticks((0, 1), ("normal", "injury"))
        axes.set_yticks((0, 1), ("normal", "injury"), rotation=90, va="center")
        axes.set(title=title, xlabel="predicted", ylabel="label")
        axes.grid(visible=False)
    return figure


def roc_figure(predictions: Sequence[Predictions]) -> Figure:
    """Sensitivity against 1 - specificity, one line a model."""
    figure = canvas()
    (axes,) = panels(figure)
    for index, model in enumerate(predictions):
        false_positive_rate, true_positive_rate = roc_curve(model.label, model.score)
        name = f"{model.model} ({auroc(model.label, model.score):.3f})"
        axes.plot(false_positive_rate, true_positive_rate, label=name, **line_style(index))
    axes.plot((0, 1), (0, 1), color="#999999", linewidth=0.8)
    axes.set(xlabel="1 - specificity", ylabel="sensitivity", title="ROC (area)")
    axes.set_aspect("equal")
    axes.legend(loc="lower right")
    return figure
