"""transformers' Trainer, its checkpoints, and the memory that a run takes."""
