"""A lock between processes that ends with the process that holds it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]  # in place of a module


@contextmanager
def locked_file(path: Path, *, wait: bool) -> Iterator[None]:
    """Hold the lock of a file inside the `with` block.

    It also holds between threads of one process. The system takes it back from a process that is
    killed. Where it has no such locks (Windows, some network folders) nothing is locked.

    Parameters
    ----------
    path : Path
        The file, which stays empty; it is created when it is missing.
    wait : bool
        Whether to wait for another holder.

    Yields
    ------
    None
        Nothing.

    Raises
    ------
    BlockingIOError
        If another one holds it and `wait` is False.
    OSError
        If the file cannot be created.
    """
    with path.open("ab") as file:
        if fcntl is not None:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
            except BlockingIOError:
                raise
            except OSError:  # a network folder without locks
                pass
        yield
