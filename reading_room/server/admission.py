"""What is worked on at once: a bounded number of requests and of their bytes.

A request that finds no room is answered at once with 503 and Retry-After, so that memory does not
grow with the clients and none waits without an end.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress

from starlette.requests import ClientDisconnect, Request

from reading_room.server.refusals import Refusal

RETRY_SECONDS = 1
_SECONDS_TO_DRAIN = 10.0


class Admission:
    """Room for requests.

    Args:
        most_requests: that are received, decoded, scored, or wait for it.
        most_bytes: of all their bodies together.
        most_body_bytes: of one body.
        seconds_to_send: in which a client must have sent its body.
    """

    def __init__(
        self, most_requests: int, most_bytes: int, most_body_bytes: int, seconds_to_send: float
    ) -> None:
        self.most_body_bytes = most_body_bytes
        self._most_requests = most_requests
        self._most_bytes = most_bytes
        self._seconds_to_send = seconds_to_send
        self._requests = 0
        self._bytes = 0

    @asynccontextmanager
    async def body_of(self, request: Request) -> AsyncIterator[bytes]:
        """A context with the body of a request, which has its room until the context ends.

        Raises:
            Refusal: 411 without a Content-Length, 413 for too long a body, 408 for too slow a
                client, 400 for an empty or incomplete body, 503 where there is no room.
        """
        length = self._length_of(request)
        with self._room(length):
            try:
                async with asyncio.timeout(self._seconds_to_send):
                    body = await _read(request, length)
            except TimeoutError:
                raise Refusal(408, "the body did not come in time") from None
            except ClientDisconnect:
                raise Refusal(400, "the client left before its body was complete") from None
            if not body:
                raise Refusal(400, "the body is empty; send one file")
            yield body

    def _length_of(self, request: Request) -> int:
        text = request.headers.get("content-length", "")
        if not (text.isascii() and text.isdecimal()):
            raise Refusal(411, "send the length of the body in Content-Length")
        length = int(text[:20])
        if length > self.most_body_bytes:
            raise Refusal(413, f"the body has more than {self.most_body_bytes} bytes")
        return length

    @contextmanager
    def _room(self, length: int) -> Iterator[None]:
        if self._requests >= self._most_requests or self._bytes + length > self._most_bytes:
            raise Refusal(503, "the server is busy; send it again", retry_after=RETRY_SECONDS)
        self._requests += 1
        self._bytes += length
        try:
            yield
        finally:
            self._requests -= 1
            self._bytes -= length


async def drain(request: Request, most_bytes: int) -> None:
    """Read and forget the rest of a body, so that a client that still sends hears its refusal."""
    with suppress(TimeoutError, ClientDisconnect, RuntimeError):
        async with asyncio.timeout(_SECONDS_TO_DRAIN):
            async for chunk in request.stream():
                most_bytes -= len(chunk)
                if most_bytes < 0:
                    return


async def _read(request: Request, length: int) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > length:
            raise Refusal(400, "the body is longer than its Content-Length")
    if len(body) < length:
        raise Refusal(400, "the body is shorter than its Content-Length")
    return bytes(body)
