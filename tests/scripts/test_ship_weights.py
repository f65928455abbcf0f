import json

import numpy as np

from scripts.ship_weights import curve, draw


def test_curve_has_a_point_for_each_epoch(tmp_path):
    rows = [
        {"step": 10, "epoch": 0.5, "loss": 0.7},
        {"step": 20, "validation": {"auroc": 0.61234}, "validation_average": {"auroc": 0.6}},
        {"step": 40, "validation": {"auroc": 0.7}, "validation_average": {"auroc": 0.75}},
    ]
    (tmp_path / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert curve(tmp_path) == {"auroc": [0.6123, 0.7], "auroc_of_average": [0.6, 0.75]}


def test_second_stage_is_drawn_after_the_first():
    stage = {"auroc": [0.5, 0.6, 0.7], "auroc_of_average": [0.5, 0.5, 0.6]}
    short = {name: values[:2] for name, values in stage.items()}
    network = {"all parts": short, "elbows": stage}  # as sorted in the file of the curves
    figure = draw({"one": network, "two": network})
    assert len(figure.axes) == 2
    drawn = [np.asarray(line.get_xdata()).tolist() for line in figure.axes[1].lines]
    assert drawn == [[1, 2, 3]] * 2 + [[4, 5]] * 2
