"""Files and folders that systems write beside the user's own.

A network drive keeps thumbnails of each picture, and deleted pictures in a recycle bin; a DICOM
disc has an index. They look like images and are none of the data set.
"""

import re

_SYNOLOGY, _QNAP = "a Synology drive writes", "a QNAP drive writes"
_MACOS, _WINDOWS = "macOS writes", "Windows writes"

# In lower case; case is ignored. Folders whose name starts with a dot need no entry.
_FOLDERS = {
    "@eadir": _SYNOLOGY,
    "@tmp": _SYNOLOGY,
    "@sharebin": _SYNOLOGY,
    "@sharesnap": _SYNOLOGY,
    "#recycle": _SYNOLOGY,
    "#snapshot": _SYNOLOGY,
    "@recycle": _QNAP,
    "@recently-snapshot": _QNAP,
    "@transcode": _QNAP,
    "@upload_cache": _QNAP,
    "~snapshot": "a NetApp drive writes",
    "trashbox": "a Buffalo drive writes",
    "recycle bin": "a Netgear drive writes",
    "__macosx": _MACOS,
    "network trash folder": _MACOS,
    "temporary items": _MACOS,
    "thevolumesettingsfolder": _MACOS,
    "thefindbycontentfolder": _MACOS,
    "$recycle.bin": _WINDOWS,
    "recycler": _WINDOWS,
    "recycled": _WINDOWS,
    "system volume information": _WINDOWS,
    "lost+found": "a file system check writes",
}
_FILES = {
    "thumbs.db": _WINDOWS,
    "ehthumbs.db": _WINDOWS,
    "ehthumbs_vista.db": _WINDOWS,
    "desktop.ini": _WINDOWS,
    "icon\r": _MACOS,
    "dicomdir": "a DICOM disc has as its index",
}
_SYNOLOGY_FILE = re.compile(r"(?:synophoto|synoindex)_.*|.*@syno(?:eastream|resource)")
_CHECKED = re.compile(r"found\.\d{3}", re.ASCII)


def reason_to_leave_out(name: str, *, folder: bool) -> str | None:
    """Return why a file or folder of this name is none of the data set; None if it may be.

    A folder with a reason is left out with all that it contains. Names that start with a dot are
    hidden; among them are AppleDouble files (``._x.png``), ``.thumbnails``, ``.@__thumb``,
    ``.Trash-1000``, ``.snapshot`` and ``.zfs``.
    """
    kind = "folder" if folder else "file"
    if name.startswith("."):
        return f"is a hidden {kind}"
    lower = name.lower()
    writer = (_FOLDERS if folder else _FILES).get(lower)
    if writer is None and folder and _CHECKED.fullmatch(lower):
        writer = _WINDOWS
    if writer is None and not folder and _SYNOLOGY_FILE.fullmatch(lower):
        writer = _SYNOLOGY
    return None if writer is None else f"is a {kind} that {writer}"
