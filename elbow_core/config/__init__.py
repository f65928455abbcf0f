"""Configurations: strict YAML files read as frozen pydantic models, and their `--help`.

A schema derives from `StrictModel`; `load_config` reads a file with overrides from the command
line, `dump_config` writes it, `describe_fields` is the text of `--help`.
"""

from typing import TYPE_CHECKING

import lazy_loader

if TYPE_CHECKING:
    from elbow_core.config.field_help import describe_fields
    from elbow_core.config.introspection import fields_of, models_in
    from elbow_core.config.loading import StrictModel, dump_config, load_config
    from elbow_core.config.overrides import take_config_path
    from elbow_core.config.paths import expand_path
    from elbow_core.config.records import parse_record
    from elbow_core.config.strict_yaml import StrictYamlError, format_yaml, parse_yaml

__all__ = [
    "StrictModel",
    "StrictYamlError",
    "describe_fields",
    "dump_config",
    "expand_path",
    "fields_of",
    "format_yaml",
    "load_config",
    "models_in",
    "parse_record",
    "parse_yaml",
    "take_config_path",
]

__getattr__, __dir__, _ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "field_help": ["describe_fields"],
        "introspection": ["fields_of", "models_in"],
        "loading": ["StrictModel", "dump_config", "load_config"],
        "overrides": ["take_config_path"],
        "paths": ["expand_path"],
        "records": ["parse_record"],
        "strict_yaml": ["StrictYamlError", "format_yaml", "parse_yaml"],
    },
)
