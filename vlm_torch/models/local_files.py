"""Opens parts of a checkpoint from its folder: nothing is requested, and no code of it is run."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from elbow_core.errors import ConfigError, library_reason
from elbow_core.files import read_json

# Keys of transformers' configurations that name Python code in the folder or on the hub.
_CODE_KEYS = ("auto_map", "custom_generate", "custom_pipelines")
_LARGEST_CONFIG = 2**24  # bytes; published ones are below 2**17
ADAPTER_CONFIG = "adapter_config.json"
INPUT_FILES = (
    "added_tokens.json",
    "chat_template.jinja",
    "chat_template.json",
    "merges.txt",
    "preprocessor_config.json",
    "processor_config.json",
    "special_tokens_map.json",
    "tokenizer.json",
    "tokenizer.model",
    "tokenizer_config.json",
    "vocab.json",
    "vocab.txt",
)
"""The files of a checkpoint's tokenizer and processor, those that it has."""


def from_folder(kind: Any, folder: Path, purpose: str, **options: Any) -> Any:
    """Return ``kind.from_pretrained`` of a folder that `require_plain_folder` has accepted.

    Args:
        kind: a class of transformers.
        folder: of the checkpoint.
        purpose: what cannot be done if this fails, for the message.
        options: further arguments.

    Raises:
        ConfigError: the files do not fit; a missing one is named and never requested.
        OSError: the system does not give a file.
    """
    try:
        return kind.from_pretrained(
            str(folder), local_files_only=True, trust_remote_code=False, **options
        )
    except MemoryError:
        raise
    except Exception as error:  # the libraries raise any kind for files that are not their own
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise ConfigError(f"{folder}: {purpose}: {library_reason(error)}") from error


def require_plain_folder(folder: Path, name: str) -> None:
    """Refuse what is no folder, and a checkpoint with code of its own or with an adapter.

    transformers would run the code that ``auto_map`` names, after a question on standard input,
    would replace a model beside an adapter by the base model that the adapter names, and would take
    weights from elsewhere where an index names them.

    Args:
        folder: of a checkpoint.
        name: of the field or option that names it, for the message.

    Raises:
        ConfigError: naming the folder, or the file and its key.
    """
    if not folder.is_dir():
        raise ConfigError(f"{name}: {folder}: no such folder")
    if (folder / ADAPTER_CONFIG).exists():
        raise ConfigError(
            f"{folder / ADAPTER_CONFIG}: belongs to an adapter, and {name} names a whole model; "
            "give the folder of the base model, or merge the adapter into it"
        )
    _require_own_weights(folder)
    for file in sorted(folder.glob("*config*.json")):
        for key in _keys(read_config(file)):
            if key in _CODE_KEYS:
                raise ConfigError(
                    f"{file}: {key} names Python code that belongs to the checkpoint, and such "
                    "code is never run; give a checkpoint of an architecture of transformers"
                )


def _require_own_weights(folder: Path) -> None:
    """Check that the weights are the folder's own files, which the fingerprint covers."""
    if "transformers_weights" in read_config_if_present(folder / "config.json"):
        raise ConfigError(
            f"{folder / 'config.json'}: transformers_weights names a file of weights; remove it, "
            "so that those of the usual names are read"
        )
    index = folder / "model.safetensors.index.json"
    names = read_config_if_present(index).get("weight_map", {})
    own = {file.name for file in folder.glob("*.safetensors")}
    for name in names.values() if isinstance(names, dict) else [names]:
        if not isinstance(name, str) or name not in own:
            raise ConfigError(f"{index}: {str(name)[:80]!r} is not a file of weights beside it")


def read_config_if_present(file: Path) -> dict[str, Any]:
    """Return the object in a JSON file, empty if there is no such file; raises `ConfigError`."""
    return read_config(file) if file.exists() else {}


def require_files(folder: Path, *alternatives: Sequence[str]) -> None:
    """Raise `ConfigError` unless a folder has, of each group of names, one that is a file."""
    for names in alternatives:
        if not any((folder / name).is_file() for name in names):
            others = f" (nor {', '.join(names[1:])})" if len(names) > 1 else ""
            raise ConfigError(f"{folder / names[0]}: does not exist{others}; copy it there")


def read_config(file: Path) -> dict[str, Any]:
    """Return the object in a JSON file of at most 16 MiB; raises `ConfigError`."""
    try:
        content = read_json(file, _LARGEST_CONFIG)
    except OSError as error:
        raise ConfigError(f"{file}: cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise ConfigError(f"{file}: is not JSON: {library_reason(error)}") from error
    if not isinstance(content, dict):
        raise ConfigError(f"{file}: holds no JSON object")
    return content


def _keys(content: Any) -> Iterator[str]:
    """Yield the keys of all objects in a JSON value."""
    pending = [content]
    while pending:
        value = pending.pop()
        if isinstance(value, dict):
            yield from value
            pending.extend(value.values())
        elif isinstance(value, list):
            pending.extend(value)
