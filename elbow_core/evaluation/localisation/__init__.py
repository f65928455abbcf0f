"""How often heat maps lie where the bone is broken.

The command is `python -m elbow_core.evaluation.localisation`; docs/localisation.md defines format
and measures.

Offered here: the comparison of sets of maps, and its report. The maps and their format are those of
`elbow_core.evaluation.heat_maps`.
"""

from typing import TYPE_CHECKING

import lazy_loader

if TYPE_CHECKING:
    from elbow_core.evaluation.localisation.comparison import (
        Comparison,
        LocalisationSettings,
        compare_maps,
    )
    from elbow_core.evaluation.localisation.write import (
        require_localisation_folder,
        write_localisation,
    )

__all__ = [
    "Comparison",
    "LocalisationSettings",
    "compare_maps",
    "require_localisation_folder",
    "write_localisation",
]

__getattr__, __dir__, _ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "comparison": ["Comparison", "LocalisationSettings", "compare_maps"],
        "write": ["require_localisation_folder", "write_localisation"],
    },
)
