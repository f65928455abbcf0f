"""Scripts that write figures and pages of the documents, run from the repository root.

Run one as a module: `python -m scripts.make_figures`. Nothing here is imported by the packages.
"""

import elbow_core  # noqa: F401 - Ctrl-C while a command imports its modules
