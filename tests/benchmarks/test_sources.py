"""The digest of measured code: the modules it covers, and the edits that change it."""

import pytest

from benchmarks.throughput.results.sources import (
    NOT_COVERED,
    ROOT,
    SOURCES,
    code_of,
    covered_files,
    source_digest,
)


def module_of(path):
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@pytest.fixture(scope="module")
def imports():
    grimp = pytest.importorskip("grimp")
    return grimp.build_graph("benchmarks", "elbow_jax", cache_dir=None)


@pytest.mark.parametrize("framework", SOURCES)
def test_the_digest_covers_every_module_that_the_work_imports(imports, framework):
    work = f"benchmarks.throughput.measuring.{framework}_work"
    reached = imports.find_upstream_modules(work) | {work}
    covered = {module_of(path) for path in covered_files(framework)}
    excluded = NOT_COVERED[framework]
    missing = {
        module
        for module in reached - covered
        if not any(module == name or module.startswith(f"{name}.") for name in excluded)
    }
    assert not missing, "add them to SOURCES, or to NOT_COVERED with a reason"
    unused = {
        name
        for name in excluded
        if not any(module == name or module.startswith(f"{name}.") for module in reached - covered)
    }
    assert not unused, "no longer imported: remove them from NOT_COVERED"


@pytest.mark.parametrize("framework", SOURCES)
def test_every_pattern_of_the_digest_matches_a_file(framework):
    for pattern in SOURCES[framework]:
        assert list(ROOT.glob(pattern)), pattern
    assert len(source_digest(framework)) == 12


def test_comments_and_docstrings_do_not_change_the_code_and_a_number_does():
    text = '"""D."""\n\nRATE = 1\n"""D."""\n\n\ndef f(x):\n    """D."""\n    return x  # x\n'
    bare = "RATE = 1\n\ndef f(x):\n    return x\n"
    assert code_of(text) == code_of(bare)
    assert code_of(text) != code_of(bare.replace("1", "2"))
    assert code_of("x = 'text'") != code_of("x = 'other'")
