"""Patterns of the configuration: they end in time, and are refused where they could not."""

import time

import pytest

from elbow_core.errors import ConfigError, UserError
from elbow_core.sources import FolderSource, scan
from elbow_core.sources.patterns import match_patient, search_pattern
from tests.support.tiny_images import make_image, write

HOPELESS = {
    "alternatives in a repetition": ("(?P<patient>(a|aa)+)$", "a" * 60 + "b"),
    "three levels": ("(?P<patient>(?:(?:a{1,9}){1,9}){1,9})b", "a" * 200),
}
SLOW_TO_COMPILE = [
    "(?P<patient>(?:(?:a{1000}){1000}){1000})",
    "(?P<patient>((a{9}){99}){99})",
    "(?P<patient>a{99999999999})",
    "(?P<patient>" + "(" * 500 + ")" * 500 + ")",
    "(?P<patient>" + "a" * 2000 + ")",
    "(?P<patient>[[a]b])",
]


@pytest.mark.parametrize("name", HOPELESS)
def test_pattern_that_would_not_end_is_one_line_with_key_and_file(tmp_path, name):
    pattern, stem = HOPELESS[name]
    write(tmp_path / "root/normal" / f"{stem}.png", make_image(0))
    write(tmp_path / "root/injury/a.png", make_image(1))
    source = FolderSource(classes={"normal": 0, "injury": 1}, patient=pattern)
    started = time.process_time()
    with pytest.raises(UserError) as caught:
        scan(tmp_path / "root", source)
    assert time.process_time() - started < 10
    message = str(caught.value)
    assert message.startswith("source.patient: ")
    assert stem in message
    assert "\n" not in message


@pytest.mark.parametrize("pattern", SLOW_TO_COMPILE, ids=range(len(SLOW_TO_COMPILE)))
def test_pattern_that_cannot_be_compiled_in_time_is_refused(pattern):
    with pytest.raises(ValueError, match="patient"):
        FolderSource(classes={"normal": 0, "injury": 1}, patient=pattern)


def test_usual_pattern_matches_as_with_re():
    pattern = r"^(?:.*/)?(?P<patient>p\d{2,4})[_-](?P<study>\d+)"
    assert match_patient(pattern, "normal/P012_3.png", "k") == ("p012", "p012/3")
    assert search_pattern("fracture(?!d)", "a Fracture b", "k") is not None


def test_refusal_names_the_key_of_the_configuration(tmp_path):
    from elbow_core.config import load_config
    from elbow_core.prepare import DataConfig

    path = tmp_path / "data.yaml"
    path.write_text(
        "source: {kind: folder, classes: {a: 0, b: 1}, patient: '(?P<patient>a{9999})'}\n"
        "root: r\nout: o\n"
    )
    with pytest.raises(ConfigError, match=r"source.*patient: .*repeats a part more than 1000"):
        load_config(DataConfig, path, [])
