"""Decoding in processes: what they give, what they refuse, and how they die alone."""

import os
import signal
import threading
import time
import warnings
from collections.abc import Iterator

import numpy as np
import pytest

from elbow_core.errors import RadiographError
from elbow_core.radiographs import (
    Preprocessing,
    decode_radiograph,
    parse_tags,
    preprocess,
    read_tags,
)
from reading_room.decoding import Decoders, FileRefusedError
from tests.support.dicom_files import dicom
from tests.support.hostile_files import BOMBS, small_files
from tests.support.processes import assert_gone, children_of, command_of, linux
from tests.support.tiny_images import encode, make_image

SETTINGS = [Preprocessing(size=32), Preprocessing(size=48, sigma=2.0)]


@pytest.fixture(scope="module")
def decoders() -> Iterator[Decoders]:
    with Decoders(2, seconds=60.0) as decoders:
        decoders.warm_up(SETTINGS)
        yield decoders


def reason_of(decoders: Decoders, data: bytes) -> str:
    """Return why a file is refused; empty for one that is read."""
    try:
        decoders.prepare(data, SETTINGS)
    except FileRefusedError as refused:
        return str(refused)
    return ""


def workers() -> list[int]:
    """The processes of this test that decode."""
    return [pid for pid in children_of(os.getpid()) if "spawn_main" in command_of(pid)]


@pytest.mark.parametrize("kind", sorted(small_files()))
def test_inputs_are_those_of_predict(decoders, kind):
    data = small_files()[kind]
    found = decoders.prepare(data, SETTINGS)
    grey = decode_radiograph(data, "image")
    assert (found.height, found.width) == grey.shape
    for settings, pixels in zip(SETTINGS, found.inputs, strict=True):
        np.testing.assert_array_equal(pixels, preprocess(grey, **settings.model_dump()))
    shown = decode_radiograph(decoders.picture(data), "picture")
    np.testing.assert_array_equal(shown, grey)


def test_reason_is_that_of_predict_without_a_name(decoders):
    for data in (b"not an image", b"%PDF-1.4", encode(make_image(0))[:200]):
        with pytest.raises(RadiographError) as expected:
            decode_radiograph(data, "image")
        for ask in (
            lambda data=data: decoders.prepare(data, SETTINGS),
            lambda data=data: decoders.picture(data),
        ):
            with pytest.raises(FileRefusedError) as refused:
                ask()
            assert f"image: {refused.value}" == str(expected.value)


def test_study_is_a_digest_of_patient_and_study_that_another_server_does_not_share(decoders, view):
    first, second = view("1", "AP", 1), view("1", "LL", 2)
    one, other = (decoders.prepare(data, SETTINGS) for data in (first, second))
    assert one.study == other.study
    assert len(one.study) == 32
    assert [(found.view, found.side) for found in (one, other)] == [("ap", "L"), ("lateral", "L")]
    assert decoders.prepare(view("2", "AP"), SETTINGS).study != one.study
    assert decoders.prepare(view("1", "AP", patient="MRN78"), SETTINGS).study != one.study
    assert decoders.prepare(encode(make_image(0)), SETTINGS).study == ""
    with Decoders(1, seconds=60.0) as others:
        assert others.prepare(first, SETTINGS).study not in ("", one.study)


def test_tags_of_bytes_are_those_of_the_file(tmp_path, view):
    (tmp_path / "a.dcm").write_bytes(view("1", "AP"))
    tags = parse_tags(view("1", "AP"), "image")
    assert tags is not None
    assert (tags.view, tags.study_uid) == ("ap", "1.2.840.77777.1.1")
    assert parse_tags(encode(make_image(0)), "image") is None
    assert tags == read_tags(tmp_path / "a.dcm")
    with pytest.raises(RadiographError, match=r"^image: is"):
        parse_tags(view("1", "AP")[:140], "image")


@pytest.mark.parametrize("name", sorted(BOMBS)[::4])
def test_file_that_asks_for_much_ends_no_process_and_the_next_is_read(decoders, name):
    reason = reason_of(decoders, BOMBS[name]())
    assert "ends the process" not in reason
    assert "seconds" not in reason
    assert decoders.prepare(encode(make_image(0)), SETTINGS).height == 48


@linux
def test_process_that_dies_takes_one_file_with_it():
    with Decoders(1, seconds=60.0) as decoders:
        decoders.warm_up(SETTINGS)
        (pid,) = workers()[-1:]
        reasons: list[str] = []

        def ask() -> None:
            reasons.append(reason_of(decoders, encode(make_image(0))))

        os.kill(pid, signal.SIGSTOP)
        thread = threading.Thread(target=ask)
        thread.start()
        time.sleep(0.2)
        os.kill(pid, signal.SIGKILL)
        thread.join(60)
        assert len(reasons) == 1
        assert "ends the process that decodes it" in reasons[0]
        assert decoders.prepare(encode(make_image(0)), SETTINGS).height == 48


@linux
def test_process_that_hangs_is_ended_and_replaced():
    with Decoders(1, seconds=0.5) as decoders:
        decoders.warm_up(SETTINGS)
        (pid,) = workers()[-1:]
        os.kill(pid, signal.SIGSTOP)
        with pytest.raises(FileRefusedError, match=r"takes more than 0\.5 seconds to decode"):
            decoders.prepare(encode(make_image(0)), SETTINGS)
        assert_gone([pid])
        assert decoders.prepare(encode(make_image(0)), SETTINGS).height == 48


@linux
def test_idle_process_that_is_killed_costs_no_file():
    with Decoders(1, seconds=60.0) as decoders:
        decoders.warm_up(SETTINGS)
        (pid,) = workers()[-1:]
        os.kill(pid, signal.SIGKILL)
        assert_gone([pid])
        assert decoders.prepare(encode(make_image(0)), SETTINGS).height == 48


@linux
def test_file_that_takes_more_memory_than_it_is_given_is_refused():
    data = encode(make_image(0, 6000, 6000))
    with Decoders(1, seconds=60.0, memory_bytes=150_000_000) as decoders:
        decoders.warm_up(SETTINGS)
        with pytest.raises(FileRefusedError, match="memory"):
            decoders.prepare(data, SETTINGS)
        assert decoders.prepare(encode(make_image(0)), SETTINGS).height == 48
    with Decoders(1, seconds=60.0) as decoders:
        assert decoders.prepare(data, SETTINGS).height == 6000


@linux
def test_processes_end_with_their_context():
    before = set(workers())
    with Decoders(2, seconds=60.0) as decoders:
        decoders.warm_up(SETTINGS)
        started = set(workers()) - before
        assert len(started) == 2
    assert_gone(sorted(started))


def test_nothing_of_a_file_is_printed(decoders, capfd):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of pydicom, on what it writes
        invalid = dicom(StudyInstanceUID="Zorblatt, no UID", BodyPartExamined="Zorblatt" * 9)
    for data in (invalid, invalid[:400]):
        assert "Zorblatt" not in reason_of(decoders, data)
    assert capfd.readouterr() == ("", "")


def mutated(data: bytes, rng: np.random.Generator) -> bytes:
    """Change, cut out, repeat or append bytes."""
    changed = bytearray(data)
    for _ in range(int(rng.integers(1, 6))):
        place = int(rng.integers(0, len(changed)))
        length = int(rng.integers(1, 16))
        what = int(rng.integers(0, 4))
        if what == 0:
            changed[place : place + length] = rng.bytes(length)
        elif what == 1:
            del changed[place : place + length]
        elif what == 2:
            changed[place:place] = changed[place : place + length]
        else:
            changed[place] ^= 1 << int(rng.integers(0, 8))
        changed = changed or bytearray(b"\0")
    return bytes(changed)


def test_mutated_files_are_read_or_refused(decoders):
    check_mutated(decoders, 300)


@pytest.mark.slow
def test_twenty_thousand_mutated_files_are_read_or_refused(decoders):
    check_mutated(decoders, 20_000)


def check_mutated(decoders: Decoders, count: int) -> None:
    rng = np.random.default_rng(count)
    files = list(small_files().values())
    before = sorted(workers())
    reasons = [
        reason_of(decoders, mutated(files[number % len(files)], rng)) for number in range(count)
    ]
    assert 0 < reasons.count("") < count
    for reason in set(reasons):
        assert "\n" not in reason
        assert "ends the process" not in reason
        assert "seconds" not in reason
    assert sorted(workers()) == before
