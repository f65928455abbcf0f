"""The Markdown documents: links, commands and paths that they name exist."""

import re
import runpy
import tomllib
from collections import Counter
from pathlib import Path, PurePosixPath
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
TOP_FOLDERS = (
    "elbow_core",
    "elbow_jax",
    "reading_room",
    "vlm_torch",
    "benchmarks",
    "configs",
    "docs",
    "examples",
    "scripts",
    "tests",
)
BUILT = (ROOT / "docs" / "_build", ROOT / "docs" / "reference")
DOCUMENTS = sorted(
    path
    for pattern in ("*.md", *(f"{folder}/**/*.md" for folder in TOP_FOLDERS))
    for path in ROOT.glob(pattern)
    if not any(path.is_relative_to(folder) for folder in BUILT)
)
# Names of removed files belong into a changelog, and configs/x.yaml is a placeholder.
HISTORY = {ROOT / "CHANGELOG.md"}
PLACEHOLDERS = {"configs/x.yaml"}

FENCE = re.compile(r"^( *)(```+|~~~+).*?^\1?\2 *$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(<?([^)\s>]+)>?(?: \"[^\"]*\")?\)")
HEADING = re.compile(r"^#{1,6} +(.+?) *#*$", re.MULTILINE)
CODE = re.compile(r"`([^`]+)`")
PATH = re.compile(rf"(?<![\w./-])(?:{'|'.join(TOP_FOLDERS)})/[\w./*-]*")
TARGET = re.compile(r"(?:^|`)make ([a-z][a-z-]*)", re.MULTILINE)
MODULE = re.compile(r"python -m ([\w.]+)")
DOTTED = re.compile(rf"(?<![\w./-])(?:{'|'.join(TOP_FOLDERS)})(?:\.\w+)+$")


def _prose(text: str) -> str:
    return FENCE.sub("", text)


def _code(text: str) -> list[str]:
    """Inline code and fenced or indented blocks."""
    indented = re.findall(r"^ {4,}\S.*$", text, re.MULTILINE)
    fenced = [match.group() for match in FENCE.finditer(text)]
    return [*CODE.findall(_prose(text)), *fenced, *indented]


def _anchors(path: Path) -> set[str]:
    """The anchors that GitHub gives the headings of a page."""
    seen: Counter[str] = Counter()
    anchors = set()
    for heading in HEADING.findall(_prose(path.read_text(encoding="utf-8"))):
        shown = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading).replace("`", "")
        anchor = re.sub(r"[^\w\- ]", "", shown.lower()).replace(" ", "-")
        anchors.add(f"{anchor}-{seen[anchor]}" if seen[anchor] else anchor)
        seen[anchor] += 1
    return anchors


def _broken_links(page: Path) -> list[str]:
    broken = []
    for link in LINK.findall(_prose(page.read_text(encoding="utf-8"))):
        if re.match(r"[a-z]+:", link):
            continue
        name, _, anchor = link.partition("#")
        target = page.parent / name if name else page
        if not target.exists() or (anchor and anchor not in _anchors(target)):
            broken.append(link)
    return broken


def _is_module(name: str) -> bool:
    """Whether `python -m name` finds a module; other projects' modules are not checked."""
    path = ROOT.joinpath(*name.split("."))
    if path.relative_to(ROOT).parts[0] not in TOP_FOLDERS:
        return True
    return path.with_suffix(".py").is_file() or (path / "__main__.py").is_file()


def _missing_paths(text: str) -> set[str]:
    named = {found.rstrip(".-") for code in _code(text) for found in PATH.findall(code)}
    return {
        path
        for path in named - PLACEHOLDERS
        if not (any(ROOT.glob(path)) or (ROOT / path).exists())
    }


def _is_name(dotted: str) -> bool:
    """Whether a dotted name is a module or a name that occurs in the module before it."""
    parts = dotted.split(".")
    folder = ROOT.joinpath(*parts)
    if folder.is_dir() or folder.with_suffix(".py").is_file():
        return True
    owner = ROOT.joinpath(*parts[:-1])
    module = owner / "__init__.py" if owner.is_dir() else owner.with_suffix(".py")
    return (
        module.is_file()
        and re.search(rf"\b{parts[-1]}\b", module.read_text(encoding="utf-8")) is not None
    )


@pytest.fixture(params=DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def page(request: pytest.FixtureRequest) -> Path:
    return request.param


def test_links_and_anchors_exist(page):
    assert _broken_links(page) == []


def test_named_modules_can_be_run(page):
    text = page.read_text(encoding="utf-8")
    modules = set() if page in HISTORY else set(MODULE.findall(text))
    assert {name for name in modules if not _is_module(name)} == set()


def test_named_make_targets_exist(page):
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    named = set(TARGET.findall("\n".join(f"`{code}`" for code in _code(page.read_text("utf-8")))))
    assert {target for target in named if f"\n{target}:" not in makefile} == set()


def test_named_paths_exist(page):
    text = page.read_text(encoding="utf-8")
    assert page in HISTORY or _missing_paths(text) == set()


def test_dotted_names_exist(page):
    code = CODE.findall(_prose(page.read_text(encoding="utf-8")))
    dotted = {span for span in code if DOTTED.fullmatch(span)}
    assert page in HISTORY or {name for name in dotted if not _is_name(name)} == set()


def _import_contracts() -> list[dict[str, Any]]:
    with (ROOT / "pyproject.toml").open("rb") as file:
        return tomllib.load(file)["tool"]["importlinter"]["contracts"]


def test_architecture_lists_every_import_contract():
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    # Contracts of type "protected" are one for each wing, and the page says so once.
    names = [entry["name"] for entry in _import_contracts() if entry["type"] != "protected"]
    assert [name for name in names if name not in text] == []


def test_architecture_draws_the_layers_of_the_contracts():
    text = " ".join((ROOT / "docs" / "architecture.md").read_text(encoding="utf-8").split())
    layered = [entry for entry in _import_contracts() if "containers" in entry]
    drawn = [" -> ".join(entry["layers"]).replace(" |", ",") for entry in layered]
    assert [layers for layers in drawn if layers not in text] == []


def test_architecture_lists_every_wing():
    tree = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    wings = {
        path.parent.name
        for package in ("elbow_core", "elbow_jax", "reading_room", "vlm_torch", "benchmarks")
        for path in ROOT.glob(f"{package}/*/__init__.py")
    }
    assert {wing for wing in wings if f"  {wing}/" not in tree} == set()


def test_every_page_is_in_exactly_one_part_of_the_site():
    contents = runpy.run_path(str(ROOT / "docs" / "_site" / "contents.py"))
    docs = ROOT / "docs"
    parts = contents["parts"]((docs / "index.md").read_text(encoding="utf-8"))
    listed = Counter(name for names in parts.values() for name in names)
    for page in contents["NESTED"]:
        folder = PurePosixPath(page).parent
        nested = contents["pages"]((docs / f"{page}.md").read_text(encoding="utf-8"))
        listed.update(str(folder / name) for name in nested)
    pages = {
        path.relative_to(docs).with_suffix("").as_posix()
        for path in DOCUMENTS
        if path.is_relative_to(docs)
    }
    assert list(parts) == ["Tutorials", "How-to", "Reference", "Explanation"]
    assert {name: count for name, count in listed.items() if count > 1} == {}
    assert listed.keys() == pages - {"index"}


def test_code_cells_of_pages_are_executed_and_stop_the_build():
    settings = (ROOT / "docs" / "conf.py").read_text(encoding="utf-8")
    assert 'nb_execution_mode = "force"' in settings
    assert "nb_execution_raise_on_error = True" in settings
    # Without this front matter a page's code cells would be shown and not run.
    marked = [page for page in DOCUMENTS if "```{code-cell}" in page.read_text("utf-8")]
    assert len(marked) >= 3
    assert [page for page in marked if "file_format: mystnb" not in page.read_text("utf-8")] == []


def test_checks_find_broken_links_and_missing_names(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(
        "# One `two`\n\n[a](gone.md) [b](#one-two) [c](#three) [d](https://x.y)\n"
        "```\n# [e](gone.md)\npython -m elbow_core.gone configs/gone.yaml\n```\n`docs/gone*.md`",
        encoding="utf-8",
    )
    text = page.read_text(encoding="utf-8")
    assert _broken_links(page) == ["gone.md", "#three"]
    assert _missing_paths(text) == {"configs/gone.yaml", "docs/gone*.md"}
    assert [_is_module(name) for name in MODULE.findall(text)] == [False]
    assert not _is_name("elbow_core.files.gone")
    assert _is_name("elbow_core.files.atomic_file")
