"""A .npy file that is filled row by row."""

from pathlib import Path

import numpy as np
import pytest

from skser._array_file import ArrayFile
from skser.exceptions import CacheError


def files(folder):
    return [path.name for path in folder.rglob("*") if path.is_file()]


def test_rows_in_any_order_give_the_array(tmp_path):
    expected = np.random.default_rng(0).normal(size=(5, 3, 2)).astype(np.float32)
    file = ArrayFile(tmp_path, expected.shape)
    for row in (3, 0, 4, 2, 1):
        file[row] = expected[row]
    size = file.keep(tmp_path / "array.npy")
    file.discard()
    assert files(tmp_path) == ["array.npy"]
    assert size == (tmp_path / "array.npy").stat().st_size
    np.testing.assert_array_equal(np.load(tmp_path / "array.npy"), expected)
    mapped = np.load(tmp_path / "array.npy", mmap_mode="r")
    assert mapped.dtype == np.float32
    np.testing.assert_array_equal(mapped, expected)


def test_what_is_not_kept_leaves_nothing(tmp_path):
    file = ArrayFile(tmp_path, (2, 3))
    file[0] = np.ones(3, np.float32)
    file.discard()
    assert files(tmp_path) == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_full_disk_is_named(tmp_path):
    file = ArrayFile(tmp_path, (2, 3))
    file._file.close()
    file._file = Path("/dev/full").open("wb", buffering=0)  # noqa: SIM115 - discard closes it
    with pytest.raises(CacheError, match=rf"'{tmp_path}' cannot be written to: No space left"):
        file[0] = np.ones(3, np.float32)
    file.discard()
    assert files(tmp_path) == []
