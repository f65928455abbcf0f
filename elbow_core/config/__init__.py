"""Configurations: strict YAML into frozen pydantic models, and the `--help` of what they hold."""

from typing import TYPE_CHECKING

import lazy_loader

if TYPE_CHECKING:
    from elbow_core.config.help import describe_fields
    from elbow_core.config.schema import (
        StrictModel,
        dump_config,
        fields_of,
        load_config,
        models_in,
        take_config_path,
    )

__all__ = [
    "StrictModel",
    "describe_fields",
    "dump_config",
    "fields_of",
    "load_config",
    "models_in",
    "take_config_path",
]

__getattr__, __dir__, _ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "schema": [
            "StrictModel",
            "dump_config",
            "fields_of",
            "load_config",
            "models_in",
            "take_config_path",
        ],
        "help": ["describe_fields"],
    },
)
