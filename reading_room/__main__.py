"""A page that reads radiographs: ``python -m reading_room --model DIR [--model DIR2]``."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from elbow_core import cli
from elbow_core.errors import ConfigError, UserError

_MOST_MODELS = 2
_MOST_MEGABYTES = 256  # what `elbow_core.radiographs` takes for a radiograph


def main(arguments: Sequence[str]) -> int:
    """Run the command."""
    options = _parser().parse_args(arguments)
    for name, least, most in (
        ("port", 0, 65535),
        ("decoders", 1, 64),
        ("queue", 1, 1024),
        ("megabytes", 1, _MOST_MEGABYTES),
        ("seconds", 1, 3600),
    ):
        if not least <= getattr(options, name) <= most:
            raise ConfigError(f"--{name}: {getattr(options, name)} is not from {least} to {most}")
    if len(options.model) > _MOST_MODELS:
        raise ConfigError(f"--model: {len(options.model)} models; the page compares two at most")
    try:
        from reading_room.server import Settings, serve
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in ("starlette", "uvicorn"):
            raise
        raise UserError(
            f"{error.name} is not installed; pip install 'elbow-radiographs[reading_room]'"
        ) from error
    return serve(
        Settings(
            models=options.model,
            host=options.host,
            port=options.port,
            names=options.name,
            token_file=options.token_file,
            decoders=options.decoders,
            queue=options.queue,
            megabytes=options.megabytes,
            seconds=options.seconds,
        )
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m reading_room",
        description="Serve a page on which a released model reads radiographs, and a JSON "
        "interface beside it (/openapi.json). Radiographs stay in memory: nothing is written. Not "
        "a medical device. Ctrl-C ends it.",
    )
    parser.add_argument(
        "--model",
        type=Path,
        action="append",
        required=True,
        help="the `model` folder of a finished run; a second --model is shown beside the first",
    )
    parser.add_argument(
        "--host",
        default="127.0.0.1",
        help="address to listen on (default: %(default)s, which this machine alone reaches); any "
        "other needs a token, which is printed",
    )
    parser.add_argument(
        "--port", type=int, default=8000, help="port, 0 for any free one (default: %(default)s)"
    )
    parser.add_argument(
        "--name",
        action="append",
        default=[],
        help="a further name that clients call this server by; may be repeated",
    )
    parser.add_argument(
        "--token-file",
        type=Path,
        help="file with the token that requests need (default: none on a loopback address, a new "
        "one each time on any other)",
    )
    parser.add_argument(
        "--decoders", type=int, default=2, help="processes that decode (default: %(default)s)"
    )
    parser.add_argument(
        "--queue",
        type=int,
        default=32,
        help="requests that are worked on or wait; more are told to come again "
        "(default: %(default)s)",
    )
    parser.add_argument(
        "--megabytes", type=int, default=64, help="of one file, at most (default: %(default)s)"
    )
    parser.add_argument(
        "--seconds",
        type=float,
        default=20.0,
        help="for decoding one file, at most (default: %(default)g)",
    )
    return parser


if __name__ == "__main__":
    cli.run(main)
