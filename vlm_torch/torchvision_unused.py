"""transformers without torchvision, whether or not it is installed and whether or not it works.

transformers imports torchvision wherever it finds it, and falls with it where its build does not
fit torch's (a CUDA build beside a CPU build). Nothing here needs it: images are prepared by
`elbow_core.radiographs.preprocessing`.
"""

from typing import Any


def keep_transformers_from_torchvision(modules: dict[str, Any]) -> None:
    """Have transformers find no torchvision in this process; call it before importing transformers.

    ``modules`` is `sys.modules`. Other packages still find torchvision there afterwards.
    """
    name = "torchvision"
    absent = object()
    found = modules.get(name, absent)
    modules[name] = None  # what the import system takes for "there is no such module"
    try:
        from transformers.utils.import_utils import is_torchvision_available

        is_torchvision_available()  # transformers looks once and keeps the answer
    finally:
        if found is absent:
            del modules[name]
        else:
            modules[name] = found
