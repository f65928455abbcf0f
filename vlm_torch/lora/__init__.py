"""LoRA layers, adapters on disk, and tuned runs."""
