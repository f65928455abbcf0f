"""Answers that refuse a request: a status and one line, as JSON."""

from starlette.responses import JSONResponse, Response


class Refusal(Exception):  # noqa: N818 an answer, and no error of the server
    """A request that is refused.

    Args:
        status: of HTTP.
        reason: one line for the client, without anything of the file but its decoder's verdict.
        retry_after: seconds after which the same request may be let in.
    """

    def __init__(self, status: int, reason: str, retry_after: int | None = None) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason
        self.retry_after = retry_after

    def response(self) -> Response:
        """Return the answer."""
        headers = {} if self.retry_after is None else {"Retry-After": str(self.retry_after)}
        if self.status == 401:
            headers["WWW-Authenticate"] = "Bearer"
        return JSONResponse({"error": self.reason}, self.status, headers)
