"""The journal gives back what was appended, up to the last group that is whole."""

import hashlib

import pytest

from elbow_jax.streaming.groups import Outcome
from elbow_jax.streaming.journal import Journal


def scored(text: str, score: float, distance: float | None = None) -> Outcome:
    return Outcome(hashlib.sha256(text.encode()).digest(), score, distance=distance)


GROUPS = [
    [scored("a", 0.1), scored("b", 1 / 3)],
    [Outcome(b"", None, "is empty: \udcfc\n")],
    [scored("a", 0.1), scored("c", 0.0, 1.25), scored("d", 1.0, 0.0)],
]
FILES = sum(map(len, GROUPS))


@pytest.fixture
def journal(tmp_path):
    journal = Journal(tmp_path / "outcomes")
    for group in GROUPS:
        journal.append(group)
    return journal


def test_outcomes_are_restored_exactly(journal, tmp_path):
    assert journal.files == FILES
    assert list(journal.outcomes()) == [outcome for group in GROUPS for outcome in group]
    again = Journal(tmp_path / "outcomes")
    scores = again.restore(FILES)
    assert again.files == FILES
    assert scores == {
        outcome.digest: (outcome.score, outcome.distance)
        for group in GROUPS
        for outcome in group
        if outcome.digest
    }


def test_missing_journal_is_an_empty_one(tmp_path):
    journal = Journal(tmp_path / "outcomes")
    assert (journal.restore(5), journal.files, list(journal.outcomes())) == ({}, 0, [])


def test_file_cut_at_any_byte_keeps_its_whole_groups_and_can_be_continued(journal, tmp_path):
    path = tmp_path / "outcomes"
    content = path.read_bytes()
    ends = [index + 1 for index, byte in enumerate(content) if byte == ord("\n")]
    for length in range(len(content)):
        path.write_bytes(content[:length])
        cut = Journal(path)
        cut.restore(FILES)
        whole = sum(end <= length for end in ends)
        assert cut.files == sum(map(len, GROUPS[:whole]))
        for group in GROUPS[whole:]:
            cut.append(group)
        assert path.read_bytes() == content


def test_change_of_any_byte_drops_its_group_and_those_behind_it(journal, tmp_path):
    path = tmp_path / "outcomes"
    content = path.read_bytes()
    for index in range(len(content)):
        path.write_bytes(content[:index] + bytes([content[index] ^ 1]) + content[index + 1 :])
        changed = Journal(path)
        changed.restore(FILES)
        assert changed.files == sum(map(len, GROUPS[: content[:index].count(b"\n")]))


def test_groups_beyond_the_number_of_files_are_dropped(journal, tmp_path):
    again = Journal(tmp_path / "outcomes")
    again.restore(FILES - 1)
    assert again.files == 3
    assert list(again.outcomes()) == [*GROUPS[0], *GROUPS[1]]
