"""Fuzzing: a damaged file is an image or an error that names it, at little cost."""

import signal
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from elbow_core.dataset import read_manifest, write_manifest
from elbow_core.errors import ManifestError
from elbow_core.radiographs import decode_radiograph
from tests.support.hostile_files import small_files
from tests.support.measured_reading import Reader, change
from tests.support.processes import linux
from tests.support.tiny_images import row

SOUND = small_files()
FILES = 20_000
EXAMPLES = settings(
    max_examples=2000,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)

CHANGES = st.lists(
    st.one_of(
        st.tuples(st.just("write"), st.floats(0, 1), st.binary(min_size=1, max_size=8)),
        st.tuples(st.just("insert"), st.floats(0, 1), st.binary(min_size=1, max_size=300)),
        st.tuples(st.just("remove"), st.floats(0, 1), st.integers(1, 300)),
        st.tuples(st.just("repeat"), st.floats(0, 1), st.integers(1, 300)),
        st.tuples(st.just("cut"), st.floats(0, 1), st.just(0)),
    ),
    min_size=1,
    max_size=6,
)


def changed(data: bytes, changes: list[tuple[str, float, bytes | int]]) -> bytes:
    for kind, position, value in changes:
        start = round(position * len(data))
        match kind, value:
            case "write", bytes():
                data = data[:start] + value + data[start + len(value) :]
            case "insert", bytes():
                data = data[:start] + value + data[start:]
            case "remove", int():
                data = data[:start] + data[start + value :]
            case "repeat", int():
                data = data[: start + value] + data[start:]
            case "cut", _:
                data = data[:start]
    return data


@contextmanager
def time_limit() -> Iterator[None]:
    """Kill the process if the block takes more than a minute."""
    signal.alarm(60)
    try:
        yield
    finally:
        signal.alarm(0)


@pytest.mark.parametrize("kind", SOUND)
def test_sound_file_is_an_image(kind):
    assert decode_radiograph(SOUND[kind], "x").ndim == 2


@linux
@pytest.mark.parametrize("files", [40, pytest.param(FILES, marks=pytest.mark.slow)])
def test_changed_file_is_an_image_or_refused_at_little_cost(files):
    worst: dict[str, tuple[float, int]] = {}
    outcomes = Counter()
    with Reader() as reader:
        for number in range(files):
            kind = list(SOUND)[number % len(SOUND)]
            reading = reader.read(change(SOUND[kind], seed=number))
            assert reading.is_fair, (kind, number, reading)
            seconds, peak = worst.get(kind, (0.0, 0))
            worst[kind] = max(seconds, reading.seconds), max(peak, reading.peak)
            outcomes[reading.outcome == "image"] += 1
    for kind, (seconds, peak) in worst.items():
        print(f"{kind}: at most {seconds:.2f} s and {peak / 1e6:.0f} MB")
    print(f"{outcomes[True]} images, {outcomes[False]} refused")
    assert all(outcomes.values())


@pytest.mark.slow
@EXAMPLES
@given(changes=CHANGES)
def test_changed_manifest_is_rows_or_a_manifest_error(tmp_path_factory, changes):
    path = tmp_path_factory.getbasetemp() / "fuzzed.csv"
    write_manifest(path, [row("a", sha256="0" * 64), row('b, "c"', label=1, finding="Brüche")])
    path.write_bytes(changed(path.read_bytes(), changes))
    with time_limit():
        try:
            rows = read_manifest(path)
        except ManifestError as error:
            assert str(error).startswith(str(path))  # noqa: PT017
            assert "\n" not in str(error)  # noqa: PT017
        else:
            assert all(one.label in (0, 1) for one in rows)
