import runpy
from pathlib import Path

import cv2
import numpy as np
import pytest
from tiny_images import write

from elbow_core.radiograph import read_radiograph
from elbow_core.sources.synthetic import draw_radiograph

SCRIPTS = Path(__file__).parents[1] / "scripts"


def test_measured_pairs_and_edits_are_printed(tmp_path, capsys):
    script = runpy.run_path(str(SCRIPTS / "measure_near_duplicates.py"))
    for seed in range(4):
        image = draw_radiograph(np.random.default_rng([3, seed]), "ap", "normal", 160)
        write(tmp_path / f"{seed}.png", image)
    write(tmp_path / "3 again.png", cv2.resize(image, None, fx=2, fy=2))
    assert script["main"]([str(tmp_path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].endswith(" bits: 3 again.png 3.png")
    assert "half the size: 100.0% of 2 copies within 32 bits" in lines
    assert len(lines) >= 10


def test_benchmarked_files_are_readable_and_no_two_alike(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(SCRIPTS)
    script = runpy.run_path(str(SCRIPTS / "benchmark_data.py"))
    paths = script["write_images"](tmp_path, 50, 90, 72)
    assert len({path.read_bytes() for path in paths}) == 50
    assert {read_radiograph(path).shape for path in paths} == {(90, 72)}


def test_unknown_benchmark_is_a_usage_error(capsys, monkeypatch):
    monkeypatch.syspath_prepend(SCRIPTS)
    script = runpy.run_path(str(SCRIPTS / "benchmark_data.py"))
    with pytest.raises(SystemExit) as ended:
        script["main"](["speed"])
    assert ended.value.code == 2
    assert "not one of prepare, workers, memory, loader, check" in capsys.readouterr().err
