"""Copy the configurations that come with the project, for an installation without a checkout.

    python -m elbow_core.config [FOLDER]

They are YAML files, one for each run: the header of each says its command, what it needs and what
to expect. FOLDER is absent or empty, `configs` by default, as the documents name it.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from elbow_core.cli import run
from elbow_core.config.installed import copy_configs


def main(arguments: Sequence[str]) -> int:
    """Command line; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m elbow_core.config",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("folder", type=Path, nargs="?", default=Path("configs"), metavar="FOLDER")
    folder = parser.parse_args(arguments).folder
    print(f"{folder}: {copy_configs(folder)} configurations")
    return 0


if __name__ == "__main__":
    run(main)
