"""Freed memory that is kept for the next batch, where glibc would give it back."""

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from threading import Lock

KEPT_ANYWAY = 2**25  # bytes of the largest block that glibc itself comes to keep

# From glibc's malloc.h.
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_MMAP_MAX = -1, -3, -4
_KEEP = {_M_MMAP_MAX: 0, _M_TRIM_THRESHOLD: 2**31 - 1}
# What glibc's own thresholds, which move with use until they are set, come to after large blocks.
_AS_USUAL = {_M_MMAP_MAX: 65536, _M_MMAP_THRESHOLD: KEPT_ANYWAY, _M_TRIM_THRESHOLD: 2 * KEPT_ANYWAY}
_ENVIRONMENT = ("MALLOC_MMAP_MAX_", "MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_")
_TUNABLES = ("glibc.malloc.mmap_", "glibc.malloc.trim_threshold")

_lock = Lock()
_users = 0  # the setting belongs to the process, and trainings may run in several threads


@contextmanager
def freed_memory_kept() -> Iterator[None]:
    """Keep freed memory inside the `with` block, and give it back after it.

    What passes between the layers is dozens of blocks over 32 MiB a batch. glibc asks the system
    for each of them anew, which clears all pages first. Nothing is done where these settings are
    made in the environment, or the C library is another.

    Yields
    ------
    None
        Nothing.
    """
    libc = None if _is_set_by_user() else _glibc()
    if libc is None:
        yield
        return
    _enter(libc)
    try:
        yield
    finally:
        _leave(libc)


def _enter(libc: ctypes.CDLL) -> None:
    global _users
    with _lock:
        _users += 1
        if _users == 1:
            _set(libc, _KEEP)


def _leave(libc: ctypes.CDLL) -> None:
    global _users
    with _lock:
        _users -= 1
        if _users == 0:
            _set(libc, _AS_USUAL)
            libc.malloc_trim(0)


def _set(libc: ctypes.CDLL, options: dict[int, int]) -> None:
    for option, value in options.items():
        libc.mallopt(option, value)


def _is_set_by_user() -> bool:
    tunables = os.environ.get("GLIBC_TUNABLES", "")
    return any(name in os.environ for name in _ENVIRONMENT) or any(
        name in tunables for name in _TUNABLES
    )


@lru_cache(maxsize=1)
def _glibc() -> ctypes.CDLL | None:
    """Return the C library if it is glibc."""
    libc = ctypes.CDLL(None) if os.name == "posix" else None
    return libc if hasattr(libc, "gnu_get_libc_version") else None
