"""Files of weights from elsewhere: published tags, what training scripts save, their origin.

`read_tensors` reads a local file, `download` fetches a tag of `PUBLISHED`.
"""

from elbow_jax.porting.checkpoints.provenance import architecture_beside, hub_commit
from elbow_jax.porting.checkpoints.published import PUBLISHED, download
from elbow_jax.porting.checkpoints.state_dicts import select_weights
from elbow_jax.porting.checkpoints.tensor_files import (
    TensorFile,
    read_tensors,
    require_own_file,
    write_tensors,
)

__all__ = [
    "PUBLISHED",
    "TensorFile",
    "architecture_beside",
    "download",
    "hub_commit",
    "read_tensors",
    "require_own_file",
    "select_weights",
    "write_tensors",
]
