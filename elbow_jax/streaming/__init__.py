"""Scores of many files as they come: `find_images` lists them, `score_files` scores them in order.

Worker processes read and preprocess, one network scores. `write_resumably` keeps what a killed
command has finished, and the same command continues there; `write_as_they_come` serves streams and
devices. Nothing here imports JAX.
Memory depends on the batch size and the workers, and by some 300 bytes a file on their number.
"""

from typing import TYPE_CHECKING

import lazy_loader

if TYPE_CHECKING:
    from elbow_jax.streaming.fingerprint import fingerprint_of
    from elbow_jax.streaming.groups import Outcome, Scores
    from elbow_jax.streaming.inputs import FoundImages, find_images
    from elbow_jax.streaming.reading import ReadImage, read_image
    from elbow_jax.streaming.score_file import Groups, write_resumably
    from elbow_jax.streaming.scores import score_files
    from elbow_jax.streaming.table import COLUMNS, MARKS, UNLIKE, Sheet, write_as_they_come

__all__ = [
    "COLUMNS",
    "MARKS",
    "UNLIKE",
    "FoundImages",
    "Groups",
    "Outcome",
    "ReadImage",
    "Scores",
    "Sheet",
    "find_images",
    "fingerprint_of",
    "read_image",
    "score_files",
    "write_as_they_come",
    "write_resumably",
]

__getattr__, __dir__, _ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "fingerprint": ["fingerprint_of"],
        "groups": ["Outcome", "Scores"],
        "inputs": ["FoundImages", "find_images"],
        "reading": ["ReadImage", "read_image"],
        "score_file": ["Groups", "write_resumably"],
        "scores": ["score_files"],
        "table": ["COLUMNS", "MARKS", "UNLIKE", "Sheet", "write_as_they_come"],
    },
)
