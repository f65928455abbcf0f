"""Who may ask: tokens, hosts and origins, without a network."""

import asyncio
from typing import Any

import pytest

from reading_room.server.guards import Guard, _name_of, is_loopback

TOKEN = "a-token-of-22-letters."


def status_of(headers: dict[str, str], token: str | None = TOKEN, path: str = "/models") -> int:
    """Ask a guarded application that answers 200."""
    sent: list[dict[str, Any]] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": "GET",
        "path": path,
        "scheme": "http",
        "headers": [(name.lower().encode(), text.encode()) for name, text in headers.items()],
    }
    guard = Guard(app, {"room.example", "127.0.0.1"}, token, {"/models"}, 1000)
    asyncio.run(guard(scope, receive, send))
    return sent[0]["status"]


def test_token_is_needed_for_what_is_guarded_and_nothing_else():
    host = {"Host": "room.example:8000"}
    assert status_of(host) == 401
    assert status_of(host | {"Authorization": f"Bearer {TOKEN}"}) == 200
    for wrong in (f"Bearer {TOKEN}x", f"Bearer {TOKEN[:-1]}", TOKEN, "Bearer ", "Bearer é"):
        assert status_of(host | {"Authorization": wrong}) == 401
    assert status_of(host, path="/") == 200
    assert status_of(host, token=None) == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Host": "room.example.evil.example"},
        {"Host": ""},
        {},
        {"Host": "room.example@evil.example"},
        {"Host": "room.example:80:80"},
    ],
)
def test_other_names_are_refused(headers):
    assert status_of(headers, None) == 421


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Origin": "http://room.example:8000"}, 200),
        ({"Origin": "https://room.example:8000"}, 200),  # behind a proxy with TLS
        ({"Origin": "http://room.example:8001"}, 403),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Sec-Fetch-Site": "same-origin"}, 200),
        ({"Sec-Fetch-Site": "none"}, 200),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}, 200),  # a link
    ],
)
def test_other_pages_are_refused(headers, status):
    assert status_of({"Host": "room.example:8000"} | headers, None) == status


def test_error_of_the_application_is_told_by_its_place_alone(capsys):
    async def app(*_: Any) -> None:
        raise RuntimeError("Zorblatt")

    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    scope = {"type": "http", "method": "GET", "path": "/", "headers": [(b"host", b"127.0.0.1")]}
    asyncio.run(Guard(app, {"127.0.0.1"}, None, (), 0)(scope, receive, send))
    assert sent[0]["status"] == 500
    printed = capsys.readouterr().err
    assert printed.startswith("error in a request: RuntimeError at app:")
    assert "Zorblatt" not in printed + str(sent)


def test_loopback_addresses_are_known_in_every_form():
    assert all(map(is_loopback, ("localhost", "127.0.0.1", "127.1.2.3", "::1")))
    assert not any(map(is_loopback, ("0.0.0.0", "::", "10.0.0.1", "room.example", "")))
    assert _name_of("[::1]:8000") == "::1"
    assert _name_of("LOCALHOST:8000") == "localhost"
