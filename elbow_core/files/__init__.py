"""Files and folders: atomic, locked, bounded, and never another's.

`atomic_file` and `atomic_folder` write outputs whole or not at all; `require_output_file` and
`require_output_folder` say, before the work, whether an output may be written; `read_regular` reads
a file of ours under a limit; locks keep a second process out; a journal grows by whole lines.
"""

from typing import TYPE_CHECKING

import lazy_loader

if TYPE_CHECKING:
    from elbow_core.files.atomic import atomic_file, atomic_folder
    from elbow_core.files.bounded import NotRegularError, open_regular, read_regular
    from elbow_core.files.digests import sha256_of
    from elbow_core.files.disk import (
        is_full,
        is_of_the_system,
        require_room,
        require_utf8_name,
        require_writable,
    )
    from elbow_core.files.journals import append_to_journal, cut_journal, read_journal
    from elbow_core.files.locks import is_locked_output, locked_file, locked_folder, locked_output
    from elbow_core.files.outputs import (
        output_file,
        output_folder,
        require_output_file,
        require_output_folder,
    )
    from elbow_core.files.partial_folders import (
        MARK,
        is_partial_name,
        marked_folder,
        partial_of,
        remove_content,
        remove_finished,
        remove_marked,
        sweep,
    )
    from elbow_core.files.permissions import apply_umask
    from elbow_core.files.strict_json import SMALL_FILE, parse_json, read_json
    from elbow_core.files.syncing import sync_tree
    from elbow_core.files.system_files import reason_to_leave_out
    from elbow_core.files.unfinished_work import is_work_of, resume_work

__all__ = [
    "MARK",
    "SMALL_FILE",
    "NotRegularError",
    "append_to_journal",
    "apply_umask",
    "atomic_file",
    "atomic_folder",
    "cut_journal",
    "is_full",
    "is_locked_output",
    "is_of_the_system",
    "is_partial_name",
    "is_work_of",
    "locked_file",
    "locked_folder",
    "locked_output",
    "marked_folder",
    "open_regular",
    "output_file",
    "output_folder",
    "parse_json",
    "partial_of",
    "read_journal",
    "read_json",
    "read_regular",
    "reason_to_leave_out",
    "remove_content",
    "remove_finished",
    "remove_marked",
    "require_output_file",
    "require_output_folder",
    "require_room",
    "require_utf8_name",
    "require_writable",
    "resume_work",
    "sha256_of",
    "sweep",
    "sync_tree",
]

__getattr__, __dir__, _ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "atomic": ["atomic_file", "atomic_folder"],
        "bounded": ["NotRegularError", "open_regular", "read_regular"],
        "digests": ["sha256_of"],
        "disk": [
            "is_full",
            "is_of_the_system",
            "require_room",
            "require_utf8_name",
            "require_writable",
        ],
        "journals": ["append_to_journal", "cut_journal", "read_journal"],
        "locks": ["is_locked_output", "locked_file", "locked_folder", "locked_output"],
        "outputs": [
            "output_file",
            "output_folder",
            "require_output_file",
            "require_output_folder",
        ],
        "partial_folders": [
            "MARK",
            "is_partial_name",
            "marked_folder",
            "partial_of",
            "remove_content",
            "remove_finished",
            "remove_marked",
            "sweep",
        ],
        "permissions": ["apply_umask"],
        "strict_json": ["SMALL_FILE", "parse_json", "read_json"],
        "syncing": ["sync_tree"],
        "system_files": ["reason_to_leave_out"],
        "unfinished_work": ["is_work_of", "resume_work"],
    },
)
