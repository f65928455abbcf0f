"""Commands of `elbow_jax` whose small MobileNetV3 has one block, so that they start sooner.

    python -m tests.reliability.tiny_network MODULE ARGUMENT...

A network of the usual size is traced in seconds. What trouble does to files does not depend on it.
"""

import runpy
import sys

PACKAGE = "elbow_jax"


def shrink() -> None:
    """Replace the small variant, in this process."""
    from elbow_jax.models import mobilenetv3

    block = mobilenetv3.Block(3, 8, 8, squeeze=True, hard_swish=True, stride=2)
    mobilenetv3.VARIANTS["small"] = mobilenetv3.Variant(8, ((block,),), last=16, features=16)


if __name__ == "__main__":
    shrink()
    sys.argv = sys.argv[1:]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
