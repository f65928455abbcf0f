"""How often heat maps lie where the bone is broken.

The command is `python -m elbow_core.evaluation.localisation`; docs/localisation.md defines format
and measures.

Offered here: the format of heat maps, which any explainer may write (`write_maps`, `MapsCard`), its
reader, and the report.
"""

from typing import TYPE_CHECKING

import lazy_loader

if TYPE_CHECKING:
    from elbow_core.evaluation.localisation.card import MappedImage, MapsCard
    from elbow_core.evaluation.localisation.comparison import (
        Comparison,
        LocalisationSettings,
        compare_maps,
    )
    from elbow_core.evaluation.localisation.map_files import (
        HeatMaps,
        open_maps,
        require_maps_folder,
        write_maps,
    )
    from elbow_core.evaluation.localisation.write import (
        require_localisation_folder,
        write_localisation,
    )

__all__ = [
    "Comparison",
    "HeatMaps",
    "LocalisationSettings",
    "MappedImage",
    "MapsCard",
    "compare_maps",
    "open_maps",
    "require_localisation_folder",
    "require_maps_folder",
    "write_localisation",
    "write_maps",
]

__getattr__, __dir__, _ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "card": ["MappedImage", "MapsCard"],
        "comparison": ["Comparison", "LocalisationSettings", "compare_maps"],
        "map_files": ["HeatMaps", "open_maps", "require_maps_folder", "write_maps"],
        "write": ["require_localisation_folder", "write_localisation"],
    },
)
