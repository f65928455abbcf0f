"""The data and evaluation core that `elbow_jax` and `vlm_torch` share, without JAX and torch.

`files`, `tables`, `processes`, `config`, `runs`, `radiographs`, `sources`, `dataset`, `prepare` and
`evaluation` are its wings; the modules beside them are their common base: errors, commands, text
and streams without control characters, progress, pages, identities, surroundings.
"""

import sys

if sys.argv[:1] == ["-m"]:  # `python -m` is importing a command
    from elbow_core.processes import exit_on_ctrl_c

    exit_on_ctrl_c()

    from elbow_core.surroundings import require_address_space

    require_address_space()
