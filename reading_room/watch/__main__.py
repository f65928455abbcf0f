"""Watch a PACS: ``python -m reading_room.watch --dicomweb URL --model DIR``."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from elbow_core import cli
from elbow_core.errors import ConfigError
from elbow_core.files import require_utf8_name
from elbow_jax import runtime
from reading_room import inference, watch
from reading_room.extras import require_extras

ANY = "ANY"
STATE = Path("runs/watch")


def main(arguments: Sequence[str]) -> int:
    """Run the command."""
    options = _parser().parse_args(arguments)
    if not options.interval > 0:
        raise ConfigError(f"--interval: {options.interval:g} is not above 0")
    if options.days is not None and options.days < 0:
        raise ConfigError(f"--days: {options.days} is not at least 0")
    require_extras()
    url = watch.require_url(options.dicomweb)
    require_utf8_name(options.model)
    parts = frozenset(" ".join(part.upper().split()) for part in options.body_part)
    wanted = watch.Wanted(
        frozenset() if ANY in parts else parts,
        tuple(dict.fromkeys(modality.upper() for modality in options.modality)),
        options.days,
    )
    with watch.opened_state(options.state, url) as state:
        runtime.set_up_process()
        runtime.open_devices()
        classifier = inference.Classifier(options.model, options.threshold, options.method)
        watcher = watch.Watcher(watch.Server(url), state, classifier, wanted)
        return watch.keep_watching(watcher, options.interval, options.once)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m reading_room.watch",
        description="Watch a PACS by DICOMweb: find new radiographs (QIDO-RS), fetch them "
        "(WADO-RS), score them, and send the results into their studies (STOW-RS), each once. What "
        "is done is kept on disk, so that the same command continues after a kill. While the "
        "server does not answer, tries become rarer. Images without a result are named on standard "
        "error by their UID. Basic authentication: ELBOW_DICOMWEB_USER and "
        "ELBOW_DICOMWEB_PASSWORD in the environment. Not a medical device.",
    )
    parser.add_argument(
        "--dicomweb",
        required=True,
        metavar="URL",
        help="base address of the server, such as http://HOST:8042/dicom-web",
    )
    inference.add_model_options(parser)
    parser.add_argument(
        "--body-part",
        nargs="+",
        default=["ELBOW"],
        metavar="PART",
        help=f"values of BodyPartExamined, in any case, or {ANY} (default: ELBOW)",
    )
    parser.add_argument(
        "--modality", nargs="+", default=["CR", "DX"], metavar="CODE", help="default: CR DX"
    )
    parser.add_argument(
        "--days",
        type=int,
        metavar="N",
        help="studies of today and the last N days alone, by their StudyDate (default: all)",
    )
    parser.add_argument(
        "--state",
        type=Path,
        default=STATE,
        metavar="DIR",
        help=f"folder that keeps what is done (default: {STATE})",
    )
    parser.add_argument(
        "--interval",
        type=float,
        default=30.0,
        metavar="SECONDS",
        help="between two passes (default: 30)",
    )
    parser.add_argument(
        "--once",
        action="store_true",
        help="make a single pass; the status is 2 if an image has no result",
    )
    return parser


if __name__ == "__main__":
    cli.run(main)
