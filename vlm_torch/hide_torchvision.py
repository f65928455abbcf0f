"""Makes transformers run without torchvision, whether torchvision is installed or not.

transformers imports torchvision wherever it is installed, and fails with it where its build does
not match torch's (a CUDA build beside a CPU build). Nothing here needs it: images are prepared by
`elbow_core.radiographs`.
"""

import importlib.util
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any


def hide_torchvision_from_transformers() -> None:
    """Hide torchvision while transformers is imported, later, by whatever module comes first.

    Has no effect where transformers has been imported already. Other packages find torchvision
    before and after.
    """
    if "transformers" not in sys.modules:
        sys.meta_path.insert(0, _TransformersFinder())


class _TransformersFinder(MetaPathFinder):
    """Finds transformers as usual, and wraps the execution of its module; then removes itself."""

    def find_spec(self, fullname: str, path: Any, target: Any = None) -> ModuleSpec | None:
        if fullname != "transformers":
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(fullname)
        if spec is not None and spec.loader is not None:
            spec.loader.exec_module = _without_torchvision(spec.loader.exec_module)
        return spec


def _without_torchvision(execute: Any) -> Any:
    def execute_without_torchvision(module: ModuleType) -> None:
        with _hidden("torchvision"):
            execute(module)
            from transformers.utils.import_utils import is_torchvision_available

            is_torchvision_available()  # caches its answer for the life of the process

    return execute_without_torchvision


@contextmanager
def _hidden(name: str) -> Iterator[None]:
    """Make a module impossible to find; one that is imported already stays imported."""
    absent: Any = object()
    loaded = sys.modules.get(name, absent)
    modules: dict[str, Any] = sys.modules
    modules[name] = None  # the import system reads None as "no such module"
    try:
        yield
    finally:
        if loaded is absent:
            del modules[name]
        else:
            modules[name] = loaded
