import hashlib

import pytest

from elbow_core.files.digests import sha256_of


@pytest.mark.parametrize("content", [b"", b"abc", bytes(range(256)) * 12_288], ids=["0", "3", "3M"])
def test_digest_is_the_sha256_of_the_content(tmp_path, content):
    path = tmp_path / "a"
    path.write_bytes(content)
    assert sha256_of(path) == hashlib.sha256(content).hexdigest()


def test_digest_of_a_missing_file_is_an_os_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        sha256_of(tmp_path / "no")
