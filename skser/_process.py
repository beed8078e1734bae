"""The start of Keras in a process of our own: the command line and the workers of folds."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from threading import Thread
from time import sleep

_SECONDS = 1.0  # between two looks at the parent


def start_keras(n_threads: int | None = None) -> None:
    """Import Keras and its backend without their log, and set the number of threads.

    Parameters
    ----------
    n_threads : int or None, default=None
        Number of threads that TensorFlow computes with; None leaves the choice to it. Other
        backends have no such setting.

    Raises
    ------
    ImportError
        If the backend is not installed.
    RuntimeError
        If TensorFlow has already started with another number of threads.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with _no_stderr():
        if "tensorflow" not in sys.modules and find_spec("opensmile"):
            import opensmile  # noqa: F401 - loaded after TensorFlow, its library crashes the process
        try:
            import keras
        except ModuleNotFoundError as error:
            raise ImportError(
                f"The backend of Keras needs {error.name}, which is not installed (KERAS_BACKEND "
                f"is {os.environ.get('KERAS_BACKEND')!r})."
            ) from error
    if n_threads is not None and keras.backend.backend() == "tensorflow":
        from ._tensorflow import set_threads

        set_threads(n_threads)


def end_with_parent(parent: int) -> None:
    """Let this process end soon after the one that started it.

    A worker would else finish a training of many minutes that nobody waits for. On Windows, where
    a parent that is gone is not seen, nothing happens.

    Parameters
    ----------
    parent : int
        Number of the process that started this one.
    """
    if os.name == "posix":
        Thread(target=_watch_parent, args=[parent], daemon=True).start()


def _watch_parent(parent: int) -> None:
    while os.getppid() == parent:
        sleep(_SECONDS)
    os._exit(1)


@contextmanager
def _no_stderr() -> Iterator[None]:
    # TensorFlow logs to the descriptor itself, before it can be told not to.
    saved, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)
        os.close(nowhere)
