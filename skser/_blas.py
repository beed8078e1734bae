"""BLAS at one thread, for products that are too small to be shared."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from threading import RLock

from threadpoolctl import ThreadpoolController

_lock = RLock()


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Compute with one BLAS thread inside the `with` block.

    The number belongs to the process, so a second thread waits at its block until the first one
    has given the old number back.

    Yields
    ------
    None
        Nothing.
    """
    with _lock, _libraries().limit(limits=1, user_api="blas"):
        yield


@lru_cache(maxsize=1)
def _libraries() -> ThreadpoolController:
    """Find the libraries that have threads, once: it takes milliseconds."""
    return ThreadpoolController()
