"""Heat maps on disk and over radiographs, whoever made them.

`write_maps` and `MapsWriter` write a set of maps with its card, `open_maps` reads one, and
`overlay_heat` draws a map over its radiograph. docs/localisation.md describes the format.
"""

from typing import TYPE_CHECKING

import lazy_loader

if TYPE_CHECKING:
    from elbow_core.evaluation.heat_maps.card import Area, MappedImage, MapsCard, parse_card
    from elbow_core.evaluation.heat_maps.map_files import (
        CARD,
        MAP_NAME,
        HeatMap,
        HeatMaps,
        MapsWriter,
        open_maps,
        require_maps_folder,
        write_maps,
    )
    from elbow_core.evaluation.heat_maps.overlay import (
        NO_EVIDENCE,
        map_to_picture,
        overlay_heat,
        picture_size,
    )

__all__ = [
    "CARD",
    "MAP_NAME",
    "NO_EVIDENCE",
    "Area",
    "HeatMap",
    "HeatMaps",
    "MappedImage",
    "MapsCard",
    "MapsWriter",
    "map_to_picture",
    "open_maps",
    "overlay_heat",
    "parse_card",
    "picture_size",
    "require_maps_folder",
    "write_maps",
]

__getattr__, __dir__, _ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "card": ["Area", "MappedImage", "MapsCard", "parse_card"],
        "map_files": [
            "CARD",
            "MAP_NAME",
            "HeatMap",
            "HeatMaps",
            "MapsWriter",
            "open_maps",
            "require_maps_folder",
            "write_maps",
        ],
        "overlay": ["NO_EVIDENCE", "map_to_picture", "overlay_heat", "picture_size"],
    },
)
