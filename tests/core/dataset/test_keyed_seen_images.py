"""Images of data with hashed ids, among those that a model learnt from or is judged on."""

import pytest

from elbow_core.dataset import SeenImages, images_learnt_from, refuse_seen
from elbow_core.dataset.seen_images import patient_digest
from elbow_core.errors import ConfigError, ManifestError
from tests.support.prepare_folders import KEY, prepare_and_open

OTHER_KEY = bytes(32)


def test_keyed_digests_say_nothing_without_the_key(first, sources, tmp_path):
    keyed = prepare_and_open(sources, tmp_path / "data", key=KEY)
    content = images_learnt_from(keyed).to_bytes().decode()
    assert len(content.splitlines()) == 1 + len(images_learnt_from(keyed).images)
    for row in first.rows:
        assert row.sha256 not in content
        assert patient_digest(row) not in content
    index = (tmp_path / "data/index.json").read_text()
    assert not any(row.sha256 in index for row in first.rows)


def test_keyed_data_are_compared_under_their_key(sources, tmp_path):
    seen = images_learnt_from(prepare_and_open(sources, tmp_path / "data", key=KEY))
    again = prepare_and_open(sources, tmp_path / "again", seed=1, key=KEY)
    with pytest.raises(ManifestError, match=r"split 'test': [0-9a-f]{32} \(in "):
        refuse_seen(seen, again, ("test",), "model")


@pytest.mark.parametrize("key", [None, OTHER_KEY], ids=["plain", "other"])
def test_keyed_images_are_not_judged_with_another_key_or_without_one(sources, tmp_path, key):
    seen = images_learnt_from(prepare_and_open(sources, tmp_path / "data", key=KEY))
    other = prepare_and_open(sources, tmp_path / "other", key=key)
    with pytest.raises(ConfigError, match=r"another id_key, .*; prepare these data with that"):
        refuse_seen(seen, other, ("test",), "model")


def test_plain_images_are_compared_with_keyed_data_and_their_patients_are_not(
    first, sources, tmp_path
):
    seen = images_learnt_from(first)
    keyed = prepare_and_open(sources, tmp_path / "data", seed=1, key=KEY)
    with pytest.raises(ManifestError, match="split 'test'"):
        refuse_seen(seen, keyed, ("test",), "model")
    tested = {row.sha256 for row in keyed.rows if row.split == "test"}
    others = SeenImages(frozenset(i for i in seen.images if i.image not in tested), True)
    (line,) = refuse_seen(others, keyed, ("test",), "model")
    assert "its patients were not compared" in line
