"""A watcher of a DICOMweb server: new radiographs are fetched, scored, and their results sent back.

`Server` speaks QIDO-RS, WADO-RS and STOW-RS, `opened_state` keeps the place on disk, and `Watcher`
makes a pass over what is new. Nothing here imports JAX, but for the command.
"""

from typing import TYPE_CHECKING

import lazy_loader

if TYPE_CHECKING:
    from reading_room.watch.server import (
        Instance,
        RequestError,
        Series,
        Server,
        UnreachableError,
        require_url,
    )
    from reading_room.watch.state import State, opened_state
    from reading_room.watch.watcher import Counts, Wanted, Watcher, keep_watching

__all__ = [
    "Counts",
    "Instance",
    "RequestError",
    "Series",
    "Server",
    "State",
    "UnreachableError",
    "Wanted",
    "Watcher",
    "keep_watching",
    "opened_state",
    "require_url",
]

__getattr__, __dir__, _ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "server": [
            "Instance",
            "RequestError",
            "Series",
            "Server",
            "UnreachableError",
            "require_url",
        ],
        "state": ["State", "opened_state"],
        "watcher": ["Counts", "Wanted", "Watcher", "keep_watching"],
    },
)
