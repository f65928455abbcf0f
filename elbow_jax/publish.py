"""Write the page of a released model with a report's figures, and push it to the Hugging Face hub.

    python -m elbow_jax.publish --model runs/NAME/model --report runs/NAME/report_test
    python -m elbow_jax.publish --model runs/NAME/model --push OWNER/NAME --private

The page is README.md in the model's folder. One that was edited by hand is never replaced.
"""

import argparse
import re
from collections.abc import Sequence
from pathlib import Path

from elbow_core import cli
from elbow_core.errors import ConfigError, HubError, UserError
from elbow_core.evaluation.report import is_metrics_json
from elbow_core.files import SMALL_FILE, atomic_file, read_json, read_regular, require_output_file
from elbow_jax import scoring

METRICS = ("auroc", "sensitivity", "specificity", "accuracy", "average_precision", "brier")
_REPOSITORY = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
_LICENCE = re.compile(r"[a-z0-9][a-z0-9.+-]*")


def reported_figures(report: Path, name: str = "") -> "scoring.ReportedFigures":
    """Return the figures of one model of a report.

    Args:
        report: the folder, which has metrics.json.
        name: of the model in it; may be empty if there is one.

    Raises:
        UserError: if it is no report, or has no model of that name.
    """
    path = report / "metrics.json"
    try:
        content = read_json(path, 64 * SMALL_FILE)
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise UserError(f"{path}: {error}") from error
    if not is_metrics_json(content):
        raise UserError(f"{path}: is not the metrics.json of a report")
    names = list(content["models"])
    if not name and len(names) != 1:
        raise UserError(f"{path}: has the models {', '.join(names)}; name one with --of")
    model = content["models"].get(name or names[0])
    if model is None:
        raise UserError(f"{path}: has no model {name!r}; its models are {', '.join(names)}")
    figures = [
        scoring.Figure(metric, model[metric], *_ends(model["intervals"].get(metric, {})))
        for metric in METRICS
        if model.get(metric) is not None
    ]
    return scoring.ReportedFigures(
        content["title"], content["images"], content["patients"], content["injured"], figures
    )


def _ends(interval: dict[str, float | None]) -> tuple[float | None, float | None]:
    return interval.get("low"), interval.get("high")


def write_page(
    model: Path,
    reported: "scoring.ReportedFigures | None" = None,
    *,
    licence: str = "",
    about: str = "",
) -> Path:
    """Write README.md of a released model and return its path; see `scoring.model_page`.

    Raises:
        ConfigError: if the model is damaged, or does not list what it learnt from.
        UserError: if README.md was edited, or cannot be written.
    """
    card = scoring.read_released(model).card
    seen = scoring.images_seen_by(model, card)
    if seen is None:
        raise ConfigError(
            f"{model}: is of version 1, which does not list the images that the model learnt "
            "from; train and release it again"
        )
    path = model / scoring.PAGE
    text = scoring.model_page(card, seen, reported, licence=licence, about=about)
    require_output_file(path, mark="---\n", size=len(text), regular=True)
    if path.exists() and not scoring.is_own_page(read_regular(path, SMALL_FILE)):
        raise UserError(f"{path}: was edited; move it away, and merge the new one by hand")
    with atomic_file(path) as partial:
        partial.write_text(text, encoding="utf-8")
    return path


def push(model: Path, repository: str, *, private: bool) -> str:
    """Upload the four files of a released model; return the address of the commit.

    The repository is made if it does not exist. The token is that of `huggingface_hub`: HF_TOKEN,
    or `hf auth login`.

    Raises:
        HubError: if the hub cannot be reached, or refuses.

    Reference: `huggingface_hub.HfApi.upload_folder`.
    """
    import huggingface_hub
    from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled

    huggingface_hub.logging.set_verbosity_error()  # the error below replaces its messages
    hub = huggingface_hub.HfApi()
    advice = (
        "the model is complete in its folder: repeat the command on a machine with network "
        "access, or upload the folder there by `hf upload`"
    )
    try:
        hub.create_repo(repository, private=private, exist_ok=True)
        commit = hub.upload_folder(
            repo_id=repository,
            folder_path=model,
            allow_patterns=list(scoring.RELEASED_FILES),
            commit_message="Released model",
        )
    except OfflineModeIsEnabled as error:
        raise HubError(f"{repository}: HF_HUB_OFFLINE is set; {advice}") from error
    except HfHubHTTPError as error:
        status = error.response.status_code if error.response is not None else "no status"
        raise HubError(
            f"{repository}: the hub refuses ({status}); is HF_TOKEN a token that may write there?"
        ) from error
    except Exception as error:  # The hub's client changes its HTTP library, and errors with it.
        raise HubError(
            f"{repository}: the hub cannot be reached ({type(error).__name__}); {advice}"
        ) from error
    return str(commit)


def main(arguments: Sequence[str]) -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(
        prog="python -m elbow_jax.publish",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--model", type=Path, required=True, help="the `model` folder of a finished run"
    )
    parser.add_argument("--report", type=Path, metavar="DIR", help="a report on this model")
    parser.add_argument("--of", default="", metavar="NAME", help="its name in the report")
    parser.add_argument("--license", default="", metavar="ID", help="such as cc-by-4.0")
    parser.add_argument(
        "--about", default="", metavar="TEXT", help="what else readers must know of the images"
    )
    parser.add_argument("--push", default="", metavar="OWNER/NAME", help="a model of the hub")
    parser.add_argument("--private", action="store_true", help="for a new repository of the hub")
    options = parser.parse_args(arguments)
    if options.push and not _REPOSITORY.fullmatch(options.push):
        parser.error(f"--push: {options.push!r} is not of the form OWNER/NAME")
    if options.license and not _LICENCE.fullmatch(options.license):
        parser.error(f"--license: {options.license!r} is not an identifier such as cc-by-4.0")
    if options.of and not options.report:
        parser.error("--of: names a model of --report, which is not given")
    if options.private and not options.push:
        parser.error("--private: is of --push, which is not given")
    reported = reported_figures(options.report, options.of) if options.report else None
    print(write_page(options.model, reported, licence=options.license, about=options.about))
    if options.push:
        print(push(options.model, options.push, private=options.private))
    return 0


if __name__ == "__main__":
    cli.run(main)
