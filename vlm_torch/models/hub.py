"""Downloads checkpoints from the Hugging Face hub; errors say how to get access."""

from pathlib import Path

from huggingface_hub import snapshot_download
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    LocalEntryNotFoundError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from elbow_core.errors import UserError

_FILES = ["*.json", "*.safetensors", "*.model", "*.jinja", "*.txt"]


def download(name: str, revision: str, licence: str) -> tuple[Path, str]:
    """Return the folder of a checkpoint in the local cache, and its commit.

    Args:
        name: owner and name, such as ``google/medgemma-4b-it``.
        revision: branch, tag or commit.
        licence: the terms that a user must accept first, for the message.

    Raises:
        UserError: one line that says which terms to accept, or how to use a local folder instead.
    """
    page = f"https://huggingface.co/{name}"
    try:
        folder = Path(snapshot_download(name, revision=revision, allow_patterns=_FILES))
    except GatedRepoError as error:
        raise UserError(
            f"{name}: is gated; accept {licence} at {page} and log in with `hf auth login` (or set "
            "HF_TOKEN to a token of that account)"
        ) from error
    except RevisionNotFoundError as error:
        raise UserError(
            f"model.base.revision: {name} has no revision {revision!r}; see {page}/commits/main"
        ) from error
    except RepositoryNotFoundError as error:
        raise UserError(
            f"{name}: the hub shows no such checkpoint to this account; if it is private or gated, "
            f"accept {licence} at {page} and log in with `hf auth login`"
        ) from error
    except (OfflineModeIsEnabled, LocalEntryNotFoundError, HfHubHTTPError, OSError) as error:
        raise UserError(
            f"{name}: cannot be downloaded ({type(error).__name__}); where there is a network, "
            f"accept {licence} at {page}, run `hf download {name} --revision {revision}`, and give "
            "the folder: --model.base '{kind: folder, path: FOLDER}'"
        ) from error
    return folder, folder.name
