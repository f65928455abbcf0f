"""Run the server: its address, its models and its processes, until a signal ends it."""

import errno
import logging
import secrets
import signal
import socket
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import uvicorn

from elbow_core.errors import ConfigError
from elbow_core.files import SMALL_FILE, read_regular
from reading_room.decoding import Decoders
from reading_room.server.admission import Admission
from reading_room.server.app import make_app
from reading_room.server.guards import is_loopback
from reading_room.server.networks import load_models, start_jax

_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_ANY = ("0.0.0.0", "::")
_SHORTEST_TOKEN = 16
_SECONDS_TO_SEND = 60.0
_SECONDS_TO_FINISH = 5
_SECONDS_BETWEEN_REQUESTS = 30
_MOST_CONNECTIONS = 512
_MOST_HEADER_BYTES = 2**15


@dataclass(frozen=True, slots=True)
class Settings:
    """How a server is run: the options of the command."""

    models: Sequence[Path]
    host: str
    port: int
    names: Sequence[str]
    """Further names that clients may call the server by."""
    token_file: Path | None
    decoders: int
    queue: int
    """Requests that are worked on or wait."""
    megabytes: int
    """Of one file."""
    seconds: float
    """For decoding one file."""


def serve(settings: Settings) -> int:
    """Serve until a signal; return the exit status.

    Raises:
        ConfigError: for an address that cannot be used, a model or a token that cannot.
    """
    token = _token(settings)
    with _bind(settings.host, settings.port) as bound:
        start_jax()
        models = load_models(settings.models)
        decoders = Decoders(settings.decoders, settings.seconds)
        with decoders:
            for model in models.models:
                model.warm_up()
            decoders.warm_up(models.preprocessing)
            most = settings.megabytes * 2**20
            admission = Admission(settings.queue, 4 * most, most, _SECONDS_TO_SEND)
            hosts = _hosts(settings)
            app = make_app(models, decoders, admission, hosts, token)
            server = _Server(
                uvicorn.Config(
                    app,
                    lifespan="off",
                    ws="none",
                    http="h11",
                    log_config=None,
                    access_log=False,
                    server_header=False,
                    proxy_headers=False,
                    limit_concurrency=_MOST_CONNECTIONS,
                    timeout_keep_alive=_SECONDS_BETWEEN_REQUESTS,
                    timeout_graceful_shutdown=_SECONDS_TO_FINISH,
                    h11_max_incomplete_event_size=_MOST_HEADER_BYTES,
                )
            )
            logging.getLogger("uvicorn").setLevel(logging.CRITICAL)
            _tell(settings, bound.getsockname()[1], token)
            server.run(sockets=[bound])
    return 0


class _Server(uvicorn.Server):
    """A server that ends as the project's other commands do.

    The first Ctrl-C or SIGTERM lets requests finish and is then raised, so that the command's own
    handler gives the exit status; a second one is raised at once. One that is ignored, as in a
    background job, stays ignored.
    """

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """A context in which signals are noted, and raised at its end."""
        former: dict[int, Any] = {}
        received: list[int] = []

        def handle(number: int, frame: FrameType | None) -> None:
            if received:
                former[number](number, frame)
            received.append(number)
            self.should_exit = True

        for number in (signal.SIGINT, signal.SIGTERM):
            if callable(signal.getsignal(number)):
                former[number] = signal.signal(number, handle)
        try:
            yield
        finally:
            for number, previous in former.items():
                signal.signal(number, previous)
        if received:
            signal.raise_signal(received[0])


def _tell(settings: Settings, port: int, token: str | None) -> None:
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    if settings.host in _ANY:
        host = settings.names[0]
    # After the '#', the token stays in the browser: it is in no request's address and no log.
    secret = "" if token is None else f"#token={token}"
    print(f"reading room: http://{host}:{port}/{secret}", flush=True)
    if not is_loopback(settings.host):
        print(
            "other machines reach this server, and nothing is encrypted: put a proxy with TLS "
            "before it where the network is not your own",
            file=sys.stderr,
            flush=True,
        )


def _hosts(settings: Settings) -> set[str]:
    own = _LOOPBACK if is_loopback(settings.host) else (settings.host,)
    return {name.lower() for name in (*own, *settings.names)} - set(_ANY)


def _token(settings: Settings) -> str | None:
    """Return the token: of the file, or a new one where other machines reach the server."""
    if settings.host in _ANY and not settings.names:
        raise ConfigError(
            f"--host {settings.host}: give --name NAME too, the name by which others reach this "
            "machine; requests under other names are refused"
        )
    if settings.token_file is None:
        return None if is_loopback(settings.host) else secrets.token_urlsafe(24)
    try:
        token = read_regular(settings.token_file, SMALL_FILE).decode("ascii").strip()
    except OSError as error:
        raise ConfigError(
            f"--token-file: {settings.token_file}: cannot be read: {error.strerror}"
        ) from error
    except ValueError as error:
        raise ConfigError(f"--token-file: {settings.token_file}: is no ASCII text") from error
    allowed = all(letter.isalnum() or letter in "-._~" for letter in token)
    if len(token) < _SHORTEST_TOKEN or not allowed:
        raise ConfigError(
            f"--token-file: {settings.token_file}: a token has at least {_SHORTEST_TOKEN} letters, "
            "digits or any of - . _ ~"
        )
    return token


def _bind(host: str, port: int) -> socket.socket:
    """Return a socket of the address, before the models are loaded."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        bound = socket.socket(family, kind, protocol)
    except (OSError, UnicodeError) as error:
        raise ConfigError(f"--host: {host!r} is no address of this machine") from error
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(address)
        bound.listen()
    except OSError as error:
        bound.close()
        if error.errno == errno.EADDRINUSE:
            raise ConfigError(
                f"--port: {port} is in use; give another one, or 0 for any"
            ) from error
        raise ConfigError(f"--host {host} --port {port}: {error.strerror}") from error
    return bound
