"""Folders of features that are computed once: make one, look into it, clear it.

`MFCCTransformer(cache=folder)` fills and reads them.
"""

import os
from numbers import Integral

from sklearn.utils import Bunch

from ._feature_store import FORMAT_VERSION, FeatureStore


def make_cache(folder: str | os.PathLike, *, max_bytes: int) -> None:
    """Make a feature cache with a limit of its own, or change the limit of one.

    A folder that `MFCCTransformer` makes itself may take 20 GiB.

    Parameters
    ----------
    folder : path-like
        The folder: a cache, an empty one, or one that does not exist.
    max_bytes : int
        Size of its files, in bytes. Beyond it, an eighth of the files, those that were not used
        for longest, is removed at the next write.

    Raises
    ------
    CacheError
        If the folder holds something else, is of another version, or cannot be written to.
    ValueError
        If `max_bytes` is no positive int.

    Examples
    --------
    >>> from skser.cache import make_cache
    >>> make_cache("mfcc-cache", max_bytes=5 * 10**9)  # doctest: +SKIP
    """
    if not isinstance(max_bytes, Integral) or max_bytes < 1:
        raise ValueError(
            "The 'max_bytes' parameter of make_cache must be an int in the range [1, inf). Got "
            f"{max_bytes!r} instead."
        )
    FeatureStore(folder, max_bytes=int(max_bytes))


def describe_cache(folder: str | os.PathLike) -> Bunch:
    """Describe a feature cache: what it holds, and how often it was of use.

    Parameters
    ----------
    folder : path-like
        The folder.

    Returns
    -------
    description : Bunch
        `n_entries`: utterances, each counted once for each setting of the features.
        `n_arrays`: arrays that were mapped. `n_bytes` and `max_bytes`: size of all files and their
        limit. `hits` and `misses`: how many utterances were found there, and how many were
        computed, by all processes since the cache was made or cleared. `format_version`: of the
        folder.

    Raises
    ------
    CacheError
        If the folder is no cache, or is of another version.

    Examples
    --------
    >>> from skser.cache import describe_cache
    >>> describe_cache("mfcc-cache").misses  # doctest: +SKIP
    535
    """
    store = FeatureStore(folder, create=False)
    numbers, sizes = store.measure()
    counts = store.read_counts()
    return Bunch(
        n_entries=numbers["entries"],
        n_arrays=numbers["arrays"],
        n_bytes=sum(sizes.values()),
        max_bytes=store.max_bytes,
        hits=counts["hits"],
        misses=counts["misses"],
        format_version=FORMAT_VERSION,
    )


def clear_cache(folder: str | os.PathLike) -> None:
    """Remove all features from a cache and count its hits and misses anew.

    The folder remains a cache with its limit. Processes that use it compute what they miss.

    Parameters
    ----------
    folder : path-like
        The folder.

    Raises
    ------
    CacheError
        If the folder is no cache, is of another version, or cannot be written to.

    Examples
    --------
    >>> from skser.cache import clear_cache
    >>> clear_cache("mfcc-cache")  # doctest: +SKIP
    """
    FeatureStore(folder, create=False).clear()
