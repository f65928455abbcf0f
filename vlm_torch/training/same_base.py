"""A run resumes with the base model that it began with, wherever that is now."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from elbow_core.errors import ConfigError
from elbow_core.runs import HARMLESS, Change, ResumeRules, read_record
from vlm_torch.models import BaseCheckpoint


def resume_rules(base: BaseCheckpoint) -> ResumeRules:
    """Return the fields that may change when a run is resumed.

    The base model may be given by another path if its fingerprint is the same.
    """

    def same_base(_: str, change: Change, recorded: Mapping[str, Any]) -> bool:
        paths = [Path(str(value)).resolve() for value in change]
        known = recorded.get("base", {}).get("fingerprint")
        return paths[0] == paths[1] or known == base.fingerprint

    return ResumeRules(
        harmless=HARMLESS,
        same={"model.base": same_base},
        reasons={
            "epochs": "its learning rate falls to 0 over all epochs, so that a run of another "
            "length is another run: restore it"
        },
    )


def require_same_base(run: Path, base: BaseCheckpoint) -> None:
    """Check that a run resumes with the base model that it began with, wherever that is now.

    Fingerprints of earlier versions, which begin otherwise, are not compared.
    """
    known = str(read_record(run).get("base", {}).get("fingerprint", ""))
    version = base.fingerprint.partition("-")[0]
    if known.startswith(f"{version}-") and known != base.fingerprint:
        raise ConfigError(
            f"{run}: cannot resume, since {base.path} is not the base model that the run began "
            "with; restore it, or give another `run:`"
        )
