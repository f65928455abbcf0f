"""The routes: the page, the scores, the pictures, and the description of the interface."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from importlib.resources import files
from typing import TypeVar

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from elbow_core.errors import MachineError
from reading_room.decoding import Decoders, FileRefusedError
from reading_room.server.admission import RETRY_SECONDS, Admission
from reading_room.server.guards import Guard
from reading_room.server.networks import JOIN, Models
from reading_room.server.openapi import VERSION, description
from reading_room.server.refusals import Refusal

GUARDED = ("/models", "/score", "/study", "/picture", "/heat_map")
"""Paths that need the token; the page itself holds nothing of anyone."""
MOST_STUDY_BYTES = 2**14
MOST_IMAGES = 64
"""Of one study."""
_TYPES = {
    "html": "text/html; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}

Result = TypeVar("Result")
Handler = Callable[[Request], Awaitable[Response]]


def make_app(
    models: Models,
    decoders: Decoders,
    admission: Admission,
    hosts: Collection[str],
    token: str | None,
) -> Guard:
    """Return the application.

    Args:
        models: that score.
        decoders: running ones.
        admission: the room for requests.
        hosts: names of this server.
        token: that requests need; None for none.
    """
    handlers = _Handlers(models, decoders, admission)
    routes = {
        **_page_routes(),
        "/models": ("GET", handlers.models),
        "/openapi.json": ("GET", _openapi),
        "/score": ("POST", handlers.score),
        "/study": ("POST", handlers.study),
        "/picture": ("POST", handlers.picture),
        "/heat_map": ("POST", handlers.heat_map),
    }

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] not in routes:
            raise Refusal(404, "there is nothing here; /openapi.json lists what is")
        method, handle = routes[scope["path"]]
        if scope["method"] not in (method, "HEAD" if method == "GET" else method):
            raise Refusal(405, f"this path takes {method}")
        response = await handle(Request(scope, receive))
        await response(scope, receive, send)

    return Guard(answer, hosts, token, GUARDED, admission.most_body_bytes)


class _Handlers:
    """Handlers that share models, decoders and room."""

    def __init__(self, models: Models, decoders: Decoders, admission: Admission) -> None:
        self._models = models
        self._decoders = decoders
        self._admission = admission
        self._decoding = ThreadPoolExecutor(decoders.count, "decoding")
        self._scoring = ThreadPoolExecutor(1, "scoring")

    async def models(self, _: Request) -> Response:
        return JSONResponse(
            {
                "version": VERSION,
                "models": [model.description() for model in self._models.models],
                "study_join": JOIN,
                "most_body_bytes": self._admission.most_body_bytes,
            }
        )

    async def score(self, request: Request) -> Response:
        async with self._admission.body_of(request) as body:
            found = await self._decoded(
                lambda: self._decoders.prepare(body, self._models.preprocessing)
            )
            judged = await _call(self._scoring, lambda: self._models.judge(found.inputs))
        return JSONResponse(
            {
                "models": judged,
                "study": found.study,
                "view": found.view,
                "side": found.side,
                "height": found.height,
                "width": found.width,
            }
        )

    async def study(self, request: Request) -> Response:
        async with self._admission.body_of(request) as body:
            rows = _scores_of(body, len(self._models.models))
        joined = [
            model.join([row[number] for row in rows])
            for number, model in enumerate(self._models.models)
        ]
        return JSONResponse({"models": joined})

    async def picture(self, request: Request) -> Response:
        async with self._admission.body_of(request) as body:
            png = await self._decoded(lambda: self._decoders.picture(body))
        return Response(png, media_type="image/png")

    async def heat_map(self, request: Request) -> Response:
        number = _number_of(request, len(self._models.models))
        model = self._models.models[number]
        if not model.explains:
            raise Refusal(422, "this model gives no heat map: it is an ensemble of networks")
        async with self._admission.body_of(request) as body:
            found = await self._decoded(lambda: self._decoders.prepare(body, [model.preprocessing]))
            png = await _call(self._scoring, lambda: self._models.heat_map(number, found.inputs[0]))
        return Response(png, media_type="image/png")

    async def _decoded(self, work: Callable[[], Result]) -> Result:
        try:
            return await _call(self._decoding, work)
        except FileRefusedError as refused:
            raise Refusal(422, f"the file {refused}") from refused
        except MachineError as error:
            raise Refusal(503, str(error), retry_after=RETRY_SECONDS) from error


async def _call(pool: ThreadPoolExecutor, work: Callable[[], Result]) -> Result:
    return await asyncio.get_running_loop().run_in_executor(pool, work)


def _page_routes() -> dict[str, tuple[str, Handler]]:
    """Return a route for each file of the page, read once: no request names a file on disk."""
    routes = {}
    for file in files("reading_room.page").iterdir():
        kind = _TYPES.get(file.name.rpartition(".")[2])
        if kind is not None:
            path = "/" if file.name == "index.html" else f"/{file.name}"
            routes[path] = ("GET", _constant(file.read_bytes(), kind))
    return routes


def _constant(content: bytes, kind: str) -> Handler:
    async def answer(_: Request) -> Response:
        return Response(content, headers={"Content-Type": kind})

    return answer


async def _openapi(_: Request) -> Response:
    return JSONResponse(description())


def _number_of(request: Request, count: int) -> int:
    text = request.query_params.get("model", "0")
    if not (text.isascii() and text.isdecimal() and len(text) < 4 and int(text) < count):
        raise Refusal(400, f"model: give a number from 0 to {count - 1}")
    return int(text)


def _scores_of(body: bytes, models: int) -> list[list[float]]:
    """Return the scores of a study: of each image, those of all models."""
    wanted = (
        f'send {{"scores": [[...], ...]}}: for each of 1 to {MOST_IMAGES} images, {models} '
        "numbers from 0 to 1"
    )
    try:
        rows = json.loads(body)["scores"] if len(body) <= MOST_STUDY_BYTES else []
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise Refusal(400, wanted) from error
    if not (isinstance(rows, list) and 1 <= len(rows) <= MOST_IMAGES):
        raise Refusal(400, wanted)
    for row in rows:
        if not (isinstance(row, list) and len(row) == models and all(map(_is_score, row))):
            raise Refusal(400, wanted)
    return [[float(score) for score in row] for row in rows]


def _is_score(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1
