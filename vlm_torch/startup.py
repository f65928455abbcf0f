"""Process start-up of every command: quiet libraries, no telemetry, one thread for tiny models."""

import os

from vlm_torch.config import ModelSection


def begin(model: ModelSection | None = None) -> None:
    """Set up the process; imports torch and transformers, so call it after parsing arguments.

    A tiny ``model`` gets one thread: its layers are too small to share, and on a busy machine
    threads that wait for each other made a run four times as long.
    """
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")  # read when huggingface_hub is imported
    import torch
    from transformers.utils import logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()
    if model is not None and model.base.kind == "tiny":
        torch.set_num_threads(1)
