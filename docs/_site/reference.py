"""The reference: one page for each wing of the packages, from the docstrings of what it exports.

A name that several wings export is described in the outermost of them, and the others link to it.
"""

import importlib
import inspect
from pathlib import Path
from types import ModuleType
from typing import Any

from docutils import nodes

PACKAGES = ("elbow_core", "elbow_jax", "vlm_torch")
# Modules beside the wings that other code imports; their public names are those they define.
MODULES = ("elbow_core.errors", "elbow_jax.steps", "elbow_jax.optimizer", "elbow_jax.auxiliary")
START = "reference"  # the page that lists the packages
FOLDER = "reference"


def wings(root: Path) -> list[str]:
    """Return the packages and wings below `root`, and `MODULES`, in alphabetical order."""
    folders = [
        path.parent.relative_to(root).parts
        for package in PACKAGES
        for path in root.glob(f"{package}/**/__init__.py")
    ]
    return sorted({".".join(parts) for parts in folders} | set(MODULES))


def exported(module: ModuleType) -> list[str]:
    """Return the public names of a module: `__all__`, or what one of `MODULES` defines."""
    if module.__name__ not in MODULES:
        return list(getattr(module, "__all__", ()))
    return [
        name
        for name, value in vars(module).items()
        if not name.startswith("_") and getattr(value, "__module__", None) == module.__name__
    ]


def homes(names: list[str]) -> dict[str, str]:
    """Map every exported dotted name to the one under which it is described."""
    first: dict[int, str] = {}
    chosen = {}
    for wing in sorted(names, key=lambda name: (name.count("."), name)):
        module = importlib.import_module(wing)
        for name in exported(module):
            value = getattr(module, name)
            dotted = f"{wing}.{name}"
            # Small constants such as a number may be one object under two meanings.
            shared = callable(value)
            chosen[dotted] = first.setdefault(id(value), dotted) if shared else dotted
    return chosen


def directive(value: Any) -> str:
    """Return autodoc's directive for a value."""
    if inspect.isclass(value):
        return "autoexception" if issubclass(value, BaseException) else "autoclass"
    return "autofunction" if inspect.isroutine(value) else "autodata"


def page(wing: str, chosen: dict[str, str]) -> str:
    """Return the page of a wing in reStructuredText."""
    module = importlib.import_module(wing)
    lines = [wing, "=" * len(wing), "", f".. automodule:: {wing}", "   :no-members:", ""]
    names = exported(module)
    if names:
        lines += [".. autosummary::", "   :nosignatures:", ""]
        lines += [f"   {wing}.{name}" for name in names]
        lines += ["", f".. currentmodule:: {wing}", ""]
    for name in names:
        if chosen[f"{wing}.{name}"] == f"{wing}.{name}":
            kind = directive(getattr(module, name))
            lines += [f".. {kind}:: {wing}.{name}"]
            lines += ["   :members:", "   :show-inheritance:"] if kind == "autoclass" else []
            lines += ["   :no-value:"] if kind == "autodata" else []
            lines += [""]
    return "\n".join(lines)


def _write(app: Any) -> None:
    # Importing the porting wing imports timm, and timm torchvision.
    importlib.import_module("elbow_jax.porting").define_missing_torchvision_operators()
    root = Path(app.srcdir).parent
    folder = Path(app.srcdir) / FOLDER
    names = wings(root)
    chosen = homes(names)
    written = set()
    folder.mkdir(exist_ok=True)
    for wing in names:
        path = folder / f"{wing}.rst"
        text = page(wing, chosen)
        if not path.is_file() or path.read_text("utf-8") != text:
            path.write_text(text, encoding="utf-8")
        written.add(path)
    for path in set(folder.glob("*.rst")) - written:
        path.unlink()
    app.elbow_homes = chosen
    app.elbow_canonical = {}
    for dotted, home in chosen.items():
        wing, _, name = dotted.rpartition(".")
        value = getattr(importlib.import_module(wing), name)
        if callable(value) and hasattr(value, "__qualname__"):
            app.elbow_canonical[f"{value.__module__}.{value.__qualname__}"] = home


def _list(app: Any, name: str, content: list[str]) -> None:
    if name == START:
        names = [f"{FOLDER}/{wing}" for wing in wings(Path(app.srcdir).parent)]
        content[0] += "\n".join(["", "", "```{toctree}", ":maxdepth: 1", "", *names, "```", ""])


def _resolve(app: Any, env: Any, node: Any, content: nodes.Node) -> nodes.Node | None:
    """Link a name to where it is described: defined elsewhere, exported twice, or undotted."""
    if node.get("refdomain") != "py":
        return None
    target = node["reftarget"]
    home = app.elbow_canonical.get(target) or app.elbow_homes.get(target)
    if home is None:
        inner = f"{node.get('py:module')}.{target}"
        found = {value for key, value in app.elbow_homes.items() if key.endswith(f".{target}")}
        home = app.elbow_homes.get(inner) or (found.pop() if len(found) == 1 else None)
    if home is None or home == target:
        return None
    domain = env.get_domain("py")
    return domain.resolve_xref(env, node["refdoc"], app.builder, "obj", home, node, content)


def setup(app: Any) -> dict[str, bool]:
    """Register the extension with Sphinx."""
    app.connect("builder-inited", _write)
    app.connect("source-read", _list)
    app.connect("missing-reference", _resolve)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
