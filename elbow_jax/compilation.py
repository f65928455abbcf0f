"""XLA's persistent compilation cache: a second run of the same step starts at once."""

import os
from pathlib import Path

import jax


def use_cache() -> None:
    """Keep compiled programs between runs, in ``$JAX_COMPILATION_CACHE_DIR`` if that is set.

    Otherwise in ``$XDG_CACHE_HOME/elbow_jax`` or ``~/.cache/elbow_jax``. Programs that compile in
    under a second are not kept.
    """
    if "JAX_COMPILATION_CACHE_DIR" not in os.environ:
        home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
        jax.config.update("jax_compilation_cache_dir", str(Path(home) / "elbow_jax"))
