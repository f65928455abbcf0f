"""Training a network: the stages of `elbow_jax.train` and their parts.

`run_stage` goes from a configuration to a released model. `build_engine`, `open_batches` and
`score_split` are its parts for benchmarks, `read_initial_weights` and `card_of_weights` those
for code that builds a network itself; `RunDirectory` names the files of a run, whose data
`open_data_of` opens.
"""

from typing import TYPE_CHECKING

import lazy_loader

if TYPE_CHECKING:
    from elbow_jax.training.engine import Engine, build_engine
    from elbow_jax.training.initial import card_of_weights, read_initial_weights
    from elbow_jax.training.loop import open_batches
    from elbow_jax.training.run_directory import MODEL, RunDirectory, create_run, open_data_of
    from elbow_jax.training.stage import print_cost, run_stage
    from elbow_jax.training.validation import score_split

__all__ = [
    "MODEL",
    "Engine",
    "RunDirectory",
    "build_engine",
    "card_of_weights",
    "create_run",
    "open_batches",
    "open_data_of",
    "print_cost",
    "read_initial_weights",
    "run_stage",
    "score_split",
]

__getattr__, __dir__, _ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "engine": ["Engine", "build_engine"],
        "initial": ["card_of_weights", "read_initial_weights"],
        "loop": ["open_batches"],
        "run_directory": ["MODEL", "RunDirectory", "create_run", "open_data_of"],
        "stage": ["print_cost", "run_stage"],
        "validation": ["score_split"],
    },
)
