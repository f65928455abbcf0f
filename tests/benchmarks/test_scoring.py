import numpy as np
import pytest

from benchmarks.scoring.__main__ import describe, main
from benchmarks.scoring.side import EAGER
from tests.support.commands import refusal_of


def test_ratio_is_the_median_over_turns_of_the_time_of_pytorch_over_that_of_jax():
    seconds = np.array([[1.0, 2.0], [2.0, 3.0], [1.0, 1.0]])
    assert describe(seconds, 10, 2e-7) == (
        "JAX 10.0 files/s, PyTorch 5.0 files/s, ratio 1.50 (1.00 to 2.00); scores differ by "
        "2.0e-07 at most"
    )


def test_too_few_files_are_refused(capsys):
    from benchmarks.scoring import __main__ as command

    assert "--files: 3 is not at least 16" in refusal_of(capsys, command, "--files", "3")


@pytest.mark.slow
def test_both_sides_score_the_same_files_alike(capsys):
    small = ["--networks", "mobilenetv3_large", "--variant", "small", "--sizes", "64"]
    assert main([*small, "--files", "20", "--turns", "1", "--torch", EAGER]) == 0
    line = capsys.readouterr().out
    assert line.startswith("mobilenetv3_large small, 64 pixels: JAX ")
    assert float(line.split("scores differ by ")[1].split()[0]) < 1e-5
