"""What every command does first: quiet libraries, and no report to anyone."""

import os

import torch
from transformers.utils import logging


def begin() -> None:
    """Set up the process; call it first in a command."""
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    if "OMP_NUM_THREADS" in os.environ:
        torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
