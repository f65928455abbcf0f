"""Who may ask: the right Host, no other page's script, and a token where one is needed.

- The Host header must be a name of this server, so that no other name that is made to lead here
  (DNS rebinding) reaches it.
- A browser names the page that sends a request in Origin and Sec-Fetch-Site. Those of other pages
  are refused, and no answer allows cross-origin reading (no CORS). Bodies of the types that a form
  can send are refused too.
- The token is compared in constant time and read from the Authorization header alone, never from
  an address, which logs and histories keep.

Reference: OWASP, Cross-Site Request Forgery Prevention Cheat Sheet; W3C, Fetch Metadata Request
Headers.
"""

import hmac
import ipaddress
import sys
import traceback
from collections.abc import Collection

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from reading_room.server.admission import drain
from reading_room.server.refusals import Refusal

SECURITY_HEADERS = {
    "Content-Security-Policy": "; ".join(
        (
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "img-src 'self' blob:",
            "connect-src 'self'",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
            "require-trusted-types-for 'script'",
        )
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
_OF_FORMS = ("application/x-www-form-urlencoded", "multipart/form-data", "text/plain")


class Guard:
    """Middleware: refuses what may not come in, adds the headers, and ends every error in JSON.

    Args:
        app: the application behind it.
        hosts: names and addresses of this server, in lower case, without a port.
        token: that requests to ``guarded`` paths need; None for none.
        guarded: paths that need the token.
        most_drained_bytes: of a refused body, that are read so that the client hears the refusal.
    """

    def __init__(
        self,
        app: ASGIApp,
        hosts: Collection[str],
        token: str | None,
        guarded: Collection[str],
        most_drained_bytes: int,
    ) -> None:
        self._app = app
        self._hosts = frozenset(hosts)
        self._token = token
        self._guarded = frozenset(guarded)
        self._most_drained_bytes = most_drained_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = complete = False

        async def receive_noted() -> Message:
            nonlocal complete
            message = await receive()
            complete = complete or not message.get("more_body", False)
            return message

        async def send_guarded(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                MutableHeaders(scope=message).update(SECURITY_HEADERS)
            await send(message)

        request = Request(scope, receive_noted)
        try:
            self._check(scope["method"], scope["path"], request.headers)
            await self._app(scope, receive_noted, send_guarded)
            return
        except Refusal as refusal:
            answer = refusal
        except Exception as error:
            _report(error)
            answer = Refusal(500, "an error of the server; its log says where")
        if not started:
            if not complete:
                await drain(request, self._most_drained_bytes)
            await answer.response()(scope, receive, send_guarded)

    def _check(self, method: str, path: str, headers: Headers) -> None:
        host = headers.get("host", "")
        if _name_of(host) not in self._hosts:
            raise Refusal(421, "this server has another name; open the address that it printed")
        if headers.get("sec-fetch-site", "none") not in ("same-origin", "none") and not (
            method == "GET" and headers.get("sec-fetch-mode") == "navigate"
        ):
            raise Refusal(403, "requests of other pages are refused")
        origin = headers.get("origin")
        if origin is not None and origin.lower().partition("://")[2] != host.lower():
            raise Refusal(403, "requests of other pages are refused")
        kind = headers.get("content-type", "").partition(";")[0].strip().lower()
        if method == "POST" and kind in ("", *_OF_FORMS):
            raise Refusal(415, "send the file itself, with Content-Type: application/octet-stream")
        if self._token is not None and path in self._guarded:
            given = headers.get("authorization", "")
            wanted = f"Bearer {self._token}"
            if not hmac.compare_digest(given.encode("latin-1"), wanted.encode()):
                raise Refusal(401, "this server needs its token: Authorization: Bearer TOKEN")


def is_loopback(host: str) -> bool:
    """Say whether only this machine reaches an address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _name_of(host: str) -> str:
    """Return the host of a Host header without its port, in lower case."""
    name, colon, port = host.lower().rpartition(":")
    if colon and port.isdecimal() and (":" not in name or name.endswith("]")):
        host = name
    return host.lower().removeprefix("[").removesuffix("]")


def _report(error: Exception) -> None:
    """Print where an error arose; its text may quote a file, so it is left out."""
    lines = traceback.extract_tb(error.__traceback__)
    where = " < ".join(f"{frame.name}:{frame.lineno}" for frame in reversed(lines[-6:]))
    print(f"error in a request: {type(error).__name__} at {where}", file=sys.stderr, flush=True)
