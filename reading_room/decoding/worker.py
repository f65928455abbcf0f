"""The process that decodes: bytes of a file in, arrays or the reason for a refusal out.

A message is a line of JSON, followed by the parts that it counts. Both ends read messages of a
bounded length and no pickles, so that a decoder that was taken over by its input can lie about a
picture and do nothing else.
"""

import contextlib
import hashlib
import hmac
import json
import logging
import os
import resource
import warnings
from collections.abc import Mapping, Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import cv2

from elbow_core.errors import MachineError, RadiographError
from elbow_core.processes import follow_parent
from elbow_core.radiographs import decode_radiograph, parse_tags, preprocess

PREPARE, PICTURE = "prepare", "picture"
"""What a request may ask for: the inputs of the networks, or the radiograph as PNG."""
NAME = "image"
"""How a file is called in errors: its own name stays with the client."""
REFUSED, MEMORY = "refused", "memory"
FASTEST_PNG = 1


def serve(channel: Connection, study_key: bytes, memory_bytes: int) -> None:
    """Answer requests until the other end of the channel is closed.

    Args:
        channel: to the server.
        study_key: key of the digests that replace identifiers of studies.
        memory_bytes: address space that the process may take beyond what it has at its start.
    """
    follow_parent()
    cv2.setNumThreads(1)
    _silence()
    _limit_memory(memory_bytes)
    with contextlib.suppress(EOFError, ConnectionError):
        while True:
            request = json.loads(channel.recv_bytes())
            header, parts = _answer(request, channel.recv_bytes(), study_key)
            channel.send_bytes(json.dumps({**header, "parts": len(parts)}).encode())
            for part in parts:
                channel.send_bytes(part)


def _answer(
    request: Mapping[str, Any], data: bytes, study_key: bytes
) -> tuple[dict[str, Any], Sequence[bytes]]:
    try:
        image = decode_radiograph(data, NAME)
        header = {"height": image.shape[0], "width": image.shape[1]}
        if request["task"] == PICTURE:
            encoded = cv2.imencode(".png", image, [cv2.IMWRITE_PNG_COMPRESSION, FASTEST_PNG])[1]
            return header, [encoded.tobytes()]
        inputs = [preprocess(image, **settings).tobytes() for settings in request["preprocessing"]]
        return header | _tags(data, study_key), inputs
    except RadiographError as error:
        return {REFUSED: str(error).removeprefix(f"{NAME}: ")}, []
    except (MachineError, MemoryError, cv2.error):
        return {MEMORY: True}, []


def _tags(data: bytes, study_key: bytes) -> dict[str, str]:
    """Return view and side as the file names them, and a digest in place of its study."""
    try:
        tags = parse_tags(data, NAME)
    except RadiographError:
        tags = None
    if tags is None:
        return {"study": "", "view": "", "side": ""}
    study = ""
    if tags.study_uid:
        identity = json.dumps([tags.issuer, tags.patient_id, tags.study_uid])
        study = hmac.new(study_key, identity.encode(), hashlib.sha256).hexdigest()[:32]
    return {"study": study, "view": tags.view, "side": tags.laterality}


def _silence() -> None:
    """Write nothing: libraries quote values of a file, such as names, in warnings and logs."""
    warnings.simplefilter("ignore")
    logging.disable()
    with open(os.devnull, "wb") as nothing:  # noqa: PTH123 devnull is a string
        for descriptor in (1, 2):
            os.dup2(nothing.fileno(), descriptor)


def _limit_memory(memory_bytes: int) -> None:
    pages = Path("/proc/self/statm")
    if pages.exists():  # Linux; elsewhere `elbow_core.radiographs.limits` alone bounds it.
        taken = int(pages.read_text().split()[0]) * resource.getpagesize()
        limit = taken + memory_bytes
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # A core file holds the radiograph.
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
