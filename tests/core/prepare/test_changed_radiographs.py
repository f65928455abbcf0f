"""The content of a radiograph, and not its time or length, decides whether it was prepared."""

import os
from typing import Any

import pytest

from elbow_core.errors import UserError
from elbow_core.prepare import prepare
from tests.support.paths import names_in
from tests.support.prepare_folders import write_images


def test_replaced_radiograph_of_equal_length_is_no_longer_prepared(tmp_path):
    config = write_images(tmp_path)
    image = config.root / "normal/p00_0.png"
    prepare(config)
    assert not prepare(config)
    data = bytearray(image.read_bytes())
    data[-5] ^= 0xFF
    status = image.stat()
    image.write_bytes(data)
    os.utime(image, ns=(status.st_atime_ns, status.st_mtime_ns))
    with pytest.raises(UserError, match="other settings or from other files"):
        prepare(config)


def test_radiograph_replaced_between_the_passes_is_noticed(tmp_path, monkeypatch):
    from elbow_core.prepare import pipeline

    config = write_images(tmp_path)
    image = config.root / "normal/p00_0.png"
    original = image.read_bytes()
    digest_images = pipeline.digest_images

    def digest_and_replace(*arguments: Any) -> Any:
        files = digest_images(*arguments)
        image.write_bytes((config.root / "normal/p02_0.png").read_bytes())
        return files

    with monkeypatch.context() as patch:
        patch.setattr(pipeline, "digest_images", digest_and_replace)
        with pytest.raises(UserError, match=r"p00_0\.png: changed while it was prepared"):
            prepare(config)
    assert names_in(tmp_path) == ["root"]
    image.write_bytes(original)
    assert prepare(config)
