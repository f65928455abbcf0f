"""Uploaded files as arrays, decoded in processes of bounded time and memory that may die alone.

`Decoders` owns the processes. Nothing of a file reaches the disk or a log, and what a process sends
back is checked as bytes and numbers, never unpickled.
"""

from reading_room.decoding.processes import Decoded, Decoders, FileRefusedError

__all__ = ["Decoded", "Decoders", "FileRefusedError"]
