"""The reference: one page for each wing of the packages, from the docstrings of what it exports.

A name that several wings export is described in the outermost of them, and the others link to it.
"""

import ast
import importlib
import inspect
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from docutils import nodes
from sphinx.pycode import ModuleAnalyzer

PACKAGES = ("elbow_core", "elbow_jax", "vlm_torch")
# Modules beside the wings that other code imports; their public names are those they define.
MODULES = ("elbow_core.errors", "elbow_jax.steps", "elbow_jax.optimizer", "elbow_jax.auxiliary")
START = "reference"  # the page that lists the packages
FOLDER = "reference"
LONGEST_VALUE = 120


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


def definer(module: str, name: str) -> str:
    """Return the module that defines a name, followed through the imports of `module`."""
    path = importlib.import_module(module).__file__
    assert path is not None
    for node in ast.walk(ast.parse(Path(path).read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module is not None and node.level == 0:
            for imported in node.names:
                if name == (imported.asname or imported.name) and _is_ours(node.module):
                    return definer(node.module, imported.name)
    return module


def _is_ours(module: str) -> bool:
    return module.partition(".")[0] in PACKAGES


@dataclass(frozen=True)
class Name:
    """A name that a wing exports: where it is defined, and the dotted name of its description."""

    wing: str
    name: str
    defined: str
    home: str

    @property
    def value(self) -> Any:
        """The object."""
        return getattr(importlib.import_module(self.wing), self.name)

    @property
    def is_home(self) -> bool:
        """Whether this wing's page describes it."""
        return self.home == f"{self.wing}.{self.name}"

    def docstring(self) -> str:
        """Return its docstring; of a constant, the string below its definition."""
        value = self.value
        if inspect.isclass(value) or inspect.isroutine(value):
            return inspect.getdoc(value) or ""
        analyzer = ModuleAnalyzer.for_module(self.defined)
        analyzer.analyze()
        lines = analyzer.attr_docs.get(("", self.name), [])
        if lines:
            return "\n".join(lines).strip()
        own = None if hasattr(value, "__origin__") else getattr(value, "__doc__", None)
        return inspect.cleandoc(own) if own and own != type(value).__doc__ else ""


def names_of(wings: list[str]) -> dict[str, list[Name]]:
    """Return the names of each wing; the outermost wing that exports a name describes it."""
    homes: dict[tuple[str, str], str] = {}
    found = {}
    for wing in sorted(wings, key=lambda wing: (wing.count("."), wing)):
        found[wing] = []
        for name in exported(importlib.import_module(wing)):
            defined = definer(wing, name)
            home = homes.setdefault((defined, name), f"{wing}.{name}")
            found[wing].append(Name(wing, name, defined, home))
    return found


def page(wing: str, names: list[Name]) -> str:
    """Return the page of a wing in reStructuredText: its docstring, a table, each name."""
    lines = [wing, "=" * len(wing), "", f".. automodule:: {wing}", "   :no-members:", ""]
    if names:
        lines += [".. list-table::", "   :widths: auto", ""]
        for name in names:
            summary = " ".join(name.docstring().partition("\n\n")[0].split())
            lines += [f"   * - :py:obj:`{name.name} <{name.home}>`", f"     - {summary}"]
        lines += [""]
    for name in names:
        if name.is_home:
            lines += [*_describe(name), ""]
    return "\n".join(lines)


def _describe(name: Name) -> list[str]:
    if inspect.isclass(name.value):
        kind = "autoexception" if issubclass(name.value, BaseException) else "autoclass"
        lines = [f".. {kind}:: {name.home}", "   :members:", "   :exclude-members: model_config"]
        bases = any(_is_ours(base.__module__) for base in name.value.__bases__)
        return [*lines, "   :show-inheritance:"] if bases else lines
    if inspect.isroutine(name.value):
        return [f".. autofunction:: {name.home}"]
    shown = repr(name.value).replace("typing.", "")
    value = [f"   :value: {shown}"] if len(shown) <= LONGEST_VALUE and " at 0x" not in shown else []
    text = [f"   {line}".rstrip() for line in name.docstring().splitlines()]
    return [f".. py:data:: {name.name}", *value, "", *text]


def _write(app: Any) -> None:
    # Importing the porting wing imports timm, and timm torchvision.
    importlib.import_module("elbow_jax.porting").define_missing_torchvision_operators()
    folder = Path(app.srcdir) / FOLDER
    folder.mkdir(exist_ok=True)
    found = names_of(wings(Path(app.srcdir).parent))
    for wing, names in found.items():
        path, text = folder / f"{wing}.rst", page(wing, names)
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
    for path in folder.glob("*.rst"):
        if path.stem not in found:
            path.unlink()
    app.elbow_homes = {}
    for name in (name for names in found.values() for name in names):
        app.elbow_homes[f"{name.wing}.{name.name}"] = name.home
        app.elbow_homes[f"{name.defined}.{name.name}"] = name.home


def _list(app: Any, name: str, content: list[str]) -> None:
    if name == START:
        names = [f"{FOLDER}/{wing}" for wing in wings(Path(app.srcdir).parent)]
        content[0] += "\n".join(["", "", "```{toctree}", ":maxdepth: 1", "", *names, "```", ""])


def _resolve(app: Any, env: Any, node: Any, content: nodes.Node) -> nodes.Node | None:
    """Link a name to its description: defined elsewhere, exported twice, or without its module."""
    if node.get("refdomain") != "py":
        return None
    target, homes = node["reftarget"], app.elbow_homes
    home = homes.get(target) or homes.get(f"{node.get('py:module')}.{target}")
    if home is None:
        found = {described for name, described in homes.items() if name.endswith(f".{target}")}
        home = found.pop() if len(found) == 1 else None
    if home is None:
        # A signature may name what no wing exports: it has no description, and is no mistake.
        return content if _exists(target) else None
    domain = env.get_domain("py")
    return domain.resolve_xref(env, node["refdoc"], app.builder, "obj", home, node, content)


def _keep_colons(
    app: Any, what: str, name: str, value: Any, options: Any, lines: list[str]
) -> None:
    # Napoleon takes what comes before a colon in an attribute's first line for its type.
    if what in ("attribute", "data"):
        lines.insert(0, "")


def _exists(dotted: str) -> bool:
    module, _, name = dotted.rpartition(".")
    return _is_ours(module) and hasattr(importlib.import_module(module), name)


def setup(app: Any) -> dict[str, bool]:
    """Register the extension with Sphinx."""
    app.connect("builder-inited", _write)
    app.connect("source-read", _list)
    app.connect("missing-reference", _resolve)
    app.connect("autodoc-process-docstring", _keep_colons, priority=400)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
