"""The index of an archive: keys and digests of hashed ids, and the former format without them."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from elbow_core.dataset import images_learnt_from, open_prepared
from elbow_core.errors import ArchiveError, ConfigError
from tests.support.prepare_folders import KEY, prepare_and_open

LATER_KEYS = {2: ("key", "digests", "ungrouped"), 3: ("ungrouped",)}


def former_index(data, folder: Path, number: int = 2) -> Path:
    """Copy a prepared folder with an index of a former format."""
    shutil.copytree(data.directory, folder)
    index = json.loads((folder / "index.json").read_text())
    former = {key: value for key, value in index.items() if key not in LATER_KEYS[number]}
    (folder / "index.json").write_text(json.dumps(former | {"format": number}))
    return folder


def test_former_index_of_plain_data_is_read(first, tmp_path):
    for number in LATER_KEYS:
        data = open_prepared(former_index(first, tmp_path / f"former{number}", number))
        np.testing.assert_array_equal(data.archive[0], first.archive[0])
        assert images_learnt_from(data) == images_learnt_from(first)
        assert data.archive.ungrouped is None
    assert first.archive.ungrouped == 0


def test_former_index_of_keyed_data_is_opened_and_not_learnt_from(sources, tmp_path):
    keyed = prepare_and_open(sources, tmp_path / "data", key=KEY)
    data = open_prepared(former_index(keyed, tmp_path / "former"))
    with pytest.raises(ConfigError, match=r"did not record .*; prepare it again"):
        images_learnt_from(data)


@pytest.mark.parametrize(
    "change",
    [
        {"key": None},
        {"key": "k"},
        {"key": 5},
        {"key": ["a"]},
        {"key": ""},
        {"digests": []},
        {"digests": None},
        {"digests": ["a"] * 48},
        {"format": True},
        {"format": 3},
        {"format": 5},
        {"ungrouped": -1},
        {"ungrouped": 49},
        {"ungrouped": True},
        {"ungrouped": None},
        {"more": 1},
    ],
)
def test_index_with_wrong_keys_is_refused(sources, tmp_path, change):
    prepare_and_open(sources, tmp_path / "data", key=KEY)
    file = tmp_path / "data/index.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | change))
    with pytest.raises(ArchiveError, match=re.escape(str(file))):
        open_prepared(tmp_path / "data")
