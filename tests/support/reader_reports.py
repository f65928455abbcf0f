"""Reports of reader studies, by the command and without its figures."""

import json
from pathlib import Path

import numpy as np

from elbow_core.evaluation.readers import ReaderStudy
from elbow_core.evaluation.readers import __main__ as command
from elbow_core.evaluation.readers.analysis import analyse
from elbow_core.evaluation.readers.json_content import json_content
from elbow_core.evaluation.readers.sections import study_blocks
from elbow_core.evaluation.readers.simulate import write_study
from elbow_core.evaluation.report.rendering import render_markdown
from tests.support.commands import refusal_of, status_of


def with_ratings(study: ReaderStudy, ratings: np.ndarray, **names: tuple[str, ...]) -> ReaderStudy:
    """Return the study with other ratings, and other names of readers or modalities."""
    given = {"readers": study.readers, "modalities": study.modalities, **names}
    return ReaderStudy(
        given["readers"], given["modalities"], study.cases, study.truth, ratings.astype(float)
    )


def documents(study: ReaderStudy, *options: str) -> tuple[dict, str]:
    """Return readers.json and report.md as the command writes them, without the figures."""
    parser = command._parser()
    settings = command._settings(parser, parser.parse_args(["study.csv", "--out", "out", *options]))
    analysis = analyse(study, settings)
    page = render_markdown("Reader study", study_blocks(analysis, "study.csv", {}))
    return json.loads(json.dumps(json_content(analysis, "study.csv"), allow_nan=False)), page


def run_command(folder: Path, study: ReaderStudy, *options: str) -> dict:
    """Run the command on a study; return its readers.json."""
    write_study(folder / "study.csv", study)
    arguments = (str(folder / "study.csv"), "--out", str(folder / "out"), *options)
    assert status_of(command, *arguments) == 0
    return json.loads((folder / "out" / "readers.json").read_bytes())


def refused(capsys, folder: Path, study: ReaderStudy, *options: str) -> str:
    """Run the command, which must refuse and leave no output; return the line."""
    write_study(folder / "study.csv", study)
    arguments = (str(folder / "study.csv"), "--out", str(folder / "out"), *options)
    line = refusal_of(capsys, command, *arguments)
    assert not (folder / "out").exists()
    return line
