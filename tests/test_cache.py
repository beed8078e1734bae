"""Caches as a user makes, sees and clears them."""

import numpy as np
import pytest

from skser import MFCCTransformer
from skser.cache import clear_cache, describe_cache, make_cache
from skser.exceptions import CacheError

WAVEFORMS = list(np.random.default_rng(0).normal(size=(4, 3000)))
TINY = {"duration": 0.2, "n_mfcc": 4, "n_mels": 8}
ENTRY_BYTES = 64 + 4 * 9 * 4


def test_a_cache_is_described(tmp_path):
    folder = tmp_path / "cache"
    MFCCTransformer(**TINY, cache=folder).transform(WAVEFORMS)
    MFCCTransformer(**TINY, cache=folder, memory_map=True).transform(WAVEFORMS[:3])
    described = describe_cache(folder)
    array_bytes = described.pop("n_bytes") - 4 * ENTRY_BYTES
    assert 3 * 9 * 4 * 4 < array_bytes < 3 * 9 * 4 * 4 + 200  # and a header
    assert described == {
        "n_entries": 4,
        "n_arrays": 1,
        "max_bytes": 20 * 2**30,
        "hits": 3,
        "misses": 4,
        "format_version": 1,
    }


def test_a_cache_is_cleared_and_goes_on(tmp_path):
    folder = tmp_path / "cache"
    make_cache(folder, max_bytes=10**6)
    transformer = MFCCTransformer(**TINY, cache=folder)
    expected = transformer.transform(WAVEFORMS)
    clear_cache(folder)
    described = describe_cache(folder)
    assert (described.n_entries, described.n_bytes, described.misses) == (0, 0, 0)
    np.testing.assert_array_equal(transformer.transform(WAVEFORMS), expected)
    described = describe_cache(folder)
    assert (described.n_entries, described.misses, described.max_bytes) == (4, 4, 10**6)


def test_a_limit_is_kept_and_can_be_changed(tmp_path):
    make_cache(tmp_path, max_bytes=3 * ENTRY_BYTES)
    transformer = MFCCTransformer(**TINY, cache=tmp_path)
    expected = MFCCTransformer(**TINY).transform(WAVEFORMS)
    np.testing.assert_array_equal(transformer.transform(WAVEFORMS), expected)
    assert describe_cache(tmp_path).n_bytes <= 3 * ENTRY_BYTES
    make_cache(tmp_path, max_bytes=10 * ENTRY_BYTES)
    for _ in range(2):
        np.testing.assert_array_equal(transformer.transform(WAVEFORMS), expected)
    assert describe_cache(tmp_path).n_entries == 4


@pytest.mark.parametrize("max_bytes", [0, -1, 1e9, "1 GB", None])
def test_a_limit_is_a_positive_int(tmp_path, max_bytes):
    with pytest.raises(ValueError, match=r"'max_bytes' parameter of make_cache must be an int in"):
        make_cache(tmp_path / "cache", max_bytes=max_bytes)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("function", [describe_cache, clear_cache])
def test_other_folders_are_no_caches(tmp_path, function):
    (tmp_path / "thesis.tex").touch()
    for folder in (tmp_path, tmp_path / "none", tmp_path / "thesis.tex"):
        with pytest.raises(CacheError, match=f"'{folder}'"):
            function(folder)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]
