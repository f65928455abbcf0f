"""Self-contained HTML pages and the folders that they lie in, for the report and the label audit.

Offered here: `render_page`, `embed_png` and `embed_svg`, the pictures of an archive, and folders
that a command replaces as a whole.
"""

from typing import TYPE_CHECKING

import lazy_loader

from elbow_core.html_page import embed_png, embed_svg, render_page

if TYPE_CHECKING:
    from elbow_core.evaluation.pages.folders import OwnFolder, own_folder, require_own_folder
    from elbow_core.evaluation.pages.pictures import ArchivedPictures

__all__ = [
    "ArchivedPictures",
    "OwnFolder",
    "embed_png",
    "embed_svg",
    "own_folder",
    "render_page",
    "require_own_folder",
]

__getattr__, __dir__, _ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "folders": ["OwnFolder", "own_folder", "require_own_folder"],
        "pictures": ["ArchivedPictures"],
    },
)
