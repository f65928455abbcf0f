"""What a training run prints about its progress where standard error is no terminal."""

import re

import pytest

from elbow_core.progress import quietly
from elbow_jax.training.progress import TrainingProgress


@pytest.mark.parametrize("quiet", [False, True])
def test_first_step_says_that_it_compiles_and_quiet_says_nothing(quiet, capsys):
    with quietly(quiet), TrainingProgress("mine", steps=4, batch_size=8) as progress:
        with progress.compiling():
            pass
        progress.epoch(1, 2, loss=0.5, auroc=0.75)
    expected = (
        r"mine: compiling the training step\n"
        r"mine: compiled, and took the first step, in 0 s\n"
        r"mine: epoch 1/2  loss 0.5000  validation AUROC 0.7500\n"
    )
    assert re.fullmatch("" if quiet else expected, capsys.readouterr().err)
