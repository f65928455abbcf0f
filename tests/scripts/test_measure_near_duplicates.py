import cv2
import numpy as np

from elbow_core.sources.synthetic import render_radiograph
from scripts.measure_near_duplicates import main
from tests.support.tiny_images import write


def test_measured_pairs_and_edits_are_printed(tmp_path, capsys):
    for seed in range(4):
        image = render_radiograph(np.random.default_rng([3, seed]), "ap", "normal", 160).pixels
        write(tmp_path / f"{seed}.png", image)
    write(tmp_path / "3 again.png", cv2.resize(image, None, fx=2, fy=2))
    assert main([str(tmp_path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].endswith(" bits: 3 again.png 3.png")
    assert "half the size: 100.0% of 2 copies within 32 bits" in lines
    assert len(lines) >= 10
