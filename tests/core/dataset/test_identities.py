import pytest

from elbow_core.dataset import hash_ids, read_key
from elbow_core.errors import ConfigError
from tests.support.tiny_images import row

KEY = bytes(range(32))


def test_hashed_ids_reveal_nothing_and_keep_the_groups():
    rows = [row("a", patient_id="smith"), row("b", patient_id="smith"), row("c")]
    hashed = hash_ids(rows, KEY)
    assert hashed[0].patient_id == hashed[1].patient_id != hashed[2].patient_id
    assert len({hashed_row.image_id for hashed_row in hashed}) == 3
    for plain, one in zip(rows, hashed, strict=True):
        assert plain.image_id != one.image_id
        assert [len(one.image_id), len(one.patient_id), len(one.study_id)] == [32, 32, 32]
        assert (one.path, one.label, one.view) == (plain.path, plain.label, plain.view)


def test_same_key_gives_the_same_ids_and_another_does_not():
    assert hash_ids([row("a")], KEY) == hash_ids([row("a")], KEY)
    assert hash_ids([row("a")], KEY)[0].image_id != hash_ids([row("a")], KEY[::-1])[0].image_id


def test_equal_ids_of_image_and_patient_have_different_hashes():
    (one,) = hash_ids([row("a", patient_id="a", study_id="a")], KEY)
    assert len({one.image_id, one.patient_id, one.study_id}) == 3


def test_hash_is_hmac_sha256_of_rfc_2104():
    # openssl dgst -sha256 -hmac, of "image", a zero byte and "a".
    (one,) = hash_ids([row("a")], b"0123456789abcdef")
    assert one.image_id == "b1e8141d8bfb50ab49aa2a6fb9408c92"


def test_key_that_is_missing_or_guessable_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"id_key: .*absent cannot be read"):
        read_key(tmp_path / "absent")
    (tmp_path / "short").write_bytes(b"password")
    with pytest.raises(ConfigError, match="has 8 bytes, fewer than 16; create one with"):
        read_key(tmp_path / "short")
