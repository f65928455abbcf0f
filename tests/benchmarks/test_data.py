import pytest

from benchmarks.data.__main__ import main, write_images
from elbow_core.radiographs.decoding import read_radiograph


def test_benchmarked_files_are_readable_and_no_two_alike(tmp_path):
    paths = write_images(tmp_path, 50, 90, 72)
    assert len({path.read_bytes() for path in paths}) == 50
    assert {read_radiograph(path).shape for path in paths} == {(90, 72)}


def test_unknown_benchmark_is_a_usage_error(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["speed"])
    assert ended.value.code == 2
    assert "not one of prepare, workers, memory, headers, loader, check" in capsys.readouterr().err
