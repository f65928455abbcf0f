"""Write DICOM objects: ``python -m reading_room.dicom --model DIR IMAGE... --out DIR``."""

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from elbow_core import cli
from elbow_core.errors import RadiographError
from elbow_core.files import atomic_folder, require_output_folder, require_utf8_name
from elbow_core.printable import one_line
from elbow_core.progress import track
from elbow_core.radiographs import count_unread, describe_passed_over, read_bytes
from elbow_core.tables import write_csv_rows
from elbow_jax import runtime, streaming
from reading_room import dicom, inference
from reading_room.extras import require_extras

COLUMNS = ("path", "folder", "score", "answer", "gate", "reason")
"""``answer`` is in the model's words, or ``uncertain``. The cells of a file that is rejected are
empty but for ``path`` and ``reason``."""
Row = tuple[str, str, str, str, str, str]


@dataclass(slots=True)
class _Writing:
    """The folder that is written to, and what was rejected so far."""

    out: Path
    rejections: list[str]
    written: dict[str, str]
    """Path by SOP Instance UID."""


def main(arguments: Sequence[str]) -> int:
    """Run the command."""
    options = _parser().parse_args(arguments)
    require_extras()
    found = streaming.find_images(options.images)
    require_utf8_name(options.model)
    require_output_folder(options.out, "--out")
    runtime.set_up_process()
    runtime.open_devices()
    classifier = inference.Classifier(options.model, options.threshold, options.method)
    for line in describe_passed_over(found.passed_over):
        print(line, file=sys.stderr)
    writing = _Writing(options.out, [], {})
    rows = _rows(found.paths, classifier, writing)
    # A bar would be drawn between the rows on a terminal.
    if not sys.stdout.isatty():
        rows = track(rows, len(found.paths), "write", brief=True)
    write_csv_rows(sys.stdout, COLUMNS, rows)
    for rejection in writing.rejections:
        print(f"error: {one_line(rejection)}", file=sys.stderr)
    if unread := count_unread(found.passed_over):
        print(f"error: {unread} entries passed over may be radiographs", file=sys.stderr)
    return 2 if writing.rejections or unread else 0


def _rows(
    paths: Sequence[str], classifier: "inference.Classifier", writing: _Writing
) -> Iterator[Row]:
    """Write the objects of each file; yield the rows of the table."""
    for path in paths:
        try:
            yield _write(path, classifier, writing)
        except RadiographError as error:
            writing.rejections.append(str(error))
            yield (path, "", "", "", "", str(error).removeprefix(f"{path}: "))


def _write(path: str, classifier: "inference.Classifier", writing: _Writing) -> Row:
    data = read_bytes(path)
    source = dicom.read_source(data, path)
    first = writing.written.setdefault(source.instance_uid, path)
    if first != path:
        raise RadiographError(f"{path}: has the SOPInstanceUID of {first}; results are that one's")
    finding = classifier.classify(data, path)
    algorithm = classifier.algorithm
    folder = writing.out / dicom.folder_name(source.instance_uid, algorithm.settings())
    # What is there is whole, and has the same UIDs: it keeps its bytes and its date.
    if not folder.is_dir():
        objects = dicom.make_objects(source, finding, algorithm, datetime.now())
        with atomic_folder(folder) as partial:
            for name, made in objects.named():
                made.save_as(partial / f"{name}.dcm", enforce_file_format=True)
    gate = ""
    if finding.distance is not None:
        gate = streaming.UNLIKE if finding.is_unlike else "ok"
    answer = algorithm.label(finding.answer)
    return (path, folder.name, f"{finding.score:.6f}", answer, gate, "")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m reading_room.dicom",
        description="Score DICOM radiographs with a released model, and write what it found as "
        "DICOM objects of the patient's own study: a structured report, a secondary capture of the "
        "heat map and a presentation state, in a folder for each image. The same image, model and "
        "settings give the same UIDs, and a folder that is there is kept. Standard output gets a "
        "table of all files. Files that give no result are named on standard error, and the exit "
        "status is then 2. Not a medical device.",
    )
    parser.add_argument(
        "images", nargs="+", help="files, folders, or lists: @FILE has the path of one in each line"
    )
    inference.add_model_options(parser)
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder to write to")
    return parser


if __name__ == "__main__":
    cli.run(main)
