"""Hidden paths of a keyed data set, and the private table that leads back to the files."""

import pytest

from elbow_core.dataset import hash_path
from elbow_core.errors import ConfigError, UserError
from elbow_core.prepare import prepare, read_private_paths
from elbow_core.prepare.private_names import PrivateNames, hidden_names
from tests.support.prepare_folders import write_images

KEY = bytes(range(32))


@pytest.fixture
def names(tmp_path) -> PrivateNames:
    for path in ("normal/müller_1.png", "normal/1.2.3.4.5", "injury/Smith/a.png"):
        (tmp_path / "root" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "root" / path).touch()
    return PrivateNames(tmp_path / "root", KEY, tmp_path / "paths.csv")


def test_hidden_path_keeps_the_suffix_of_an_image_alone():
    hidden = {path: hash_path(KEY, path) for path in ("a/b.PNG", "b.png", "1.2.3.4567", "x.smith")}
    assert [len(name) for name in hidden.values()] == [36, 36, 32, 32]
    assert hidden["a/b.PNG"].endswith(".png")
    assert len(set(hidden.values())) == 4
    assert hash_path(KEY, "mu\u0308ller") == hash_path(KEY, "m\u00fcller")
    assert hash_path(KEY[::-1], "b.png") != hidden["b.png"]
    assert hash_path(KEY, "bad\udcff")  # a name on disk that is not UTF-8


@pytest.mark.parametrize(
    "message",
    [
        "root/normal/müller_1.png: is empty",
        "the file müller_1.png: is empty",
        "no rule for 'müller_1'",
        f"no rule for {'müller_1'!a}",
    ],
)
def test_message_gets_the_hash_of_the_file(names, tmp_path, message):
    hidden = names.hide("normal/müller_1.png")
    with pytest.raises(ConfigError) as caught, hidden_names(names, "normal"):
        raise ConfigError(message)
    text = str(caught.value)
    assert "ller" not in text
    assert hidden in text
    assert text.endswith(f" ({tmp_path / 'paths.csv'} says which file that is)")
    assert caught.value.__cause__ is None
    assert read_private_paths(tmp_path / "paths.csv") == {hidden: "normal/müller_1.png"}


def test_message_without_a_name_is_left_alone(names, tmp_path):
    for message in ("split: train has no normal image", "blacksmiths", "Smithy"):
        with pytest.raises(UserError) as caught, hidden_names(names, "normal: 0"):
            raise UserError(message)
        assert str(caught.value) == message
    assert not (tmp_path / "paths.csv").exists()


def test_message_that_lists_all_files_hides_all(tmp_path):
    for number in range(400):
        (tmp_path / "root" / f"Smith{number % 20}").mkdir(parents=True, exist_ok=True)
        (tmp_path / "root" / f"Smith{number % 20}" / f"1.2.{number}").touch()
    names = PrivateNames(tmp_path / "root", KEY, tmp_path / "paths.csv")
    paths = [f"Smith{number % 20}/1.2.{number}" for number in range(400)]
    hidden = names.hide_in(", ".join(paths))
    assert hidden.startswith(", ".join(names.hide(path) for path in paths))
    assert set(read_private_paths(tmp_path / "paths.csv").values()) == set(paths)


def test_reason_of_a_file_hides_its_own_names(names):
    hidden = names.hide("a/Smith.png")
    assert names.hide_own("Smith.png is listed as 'Smith' twice", "a/Smith.png") == (
        f"{hidden} is listed as '{hidden}' twice"
    )


def test_table_keeps_what_it_has(names, tmp_path):
    names.record(["b.png"])
    names.record(["a.png", "=1+1.png"])
    found = read_private_paths(tmp_path / "paths.csv")
    assert sorted(found.values()) == ["=1+1.png", "a.png", "b.png"]
    assert (tmp_path / "paths.csv").stat().st_mode & 0o077 == 0


def test_file_that_is_no_such_table_is_not_replaced(tmp_path):
    config = write_images(tmp_path)
    (tmp_path / "key").write_bytes(KEY)
    (tmp_path / "notes.csv").write_text("mine\n")
    changes = {"id_key": tmp_path / "key", "private_paths": tmp_path / "notes.csv"}
    with pytest.raises(UserError, match=r"private_paths: .*notes\.csv"):
        prepare(config.model_copy(update=changes))
    assert (tmp_path / "notes.csv").read_text() == "mine\n"


def test_table_in_the_prepared_folder_is_refused(tmp_path):
    config = write_images(tmp_path)
    (tmp_path / "key").write_bytes(KEY)
    changes = {"id_key": tmp_path / "key", "private_paths": config.out / "paths.csv"}
    with pytest.raises(UserError, match="which may be shared; move it"):
        prepare(config.model_copy(update=changes))


def test_private_table_without_a_key_is_refused(tmp_path):
    config = write_images(tmp_path)
    with pytest.raises(ValueError, match="paths are hidden with id_key alone"):
        type(config).model_validate(config.model_dump() | {"private_paths": tmp_path / "a.csv"})
