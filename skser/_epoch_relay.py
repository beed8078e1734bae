"""How a process hears of the epochs that its workers fit: each training has a small file."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event, Thread

from .callbacks import EpochListener

IndexedListener = Callable[[int, int, int, dict[str, float]], None]
"""An `EpochListener` that is first told the number of the training."""

_SECONDS = 0.5  # between two looks at the files


@contextmanager
def relayed_epochs(listener: IndexedListener) -> Iterator[Path]:
    """Tell a listener what workers write, from another thread.

    Parameters
    ----------
    listener : callable
        Called with the number of the training and what an `EpochListener` is told; of several
        epochs that end in quick succession it may hear the last one only.

    Yields
    ------
    folder : Path
        What the workers need for `write_epochs`.
    """
    ended = Event()
    with TemporaryDirectory(prefix="skser-") as folder:
        thread = Thread(target=_watch, args=(Path(folder), listener, ended), daemon=True)
        thread.start()
        try:
            yield Path(folder)
        finally:
            ended.set()
            thread.join()


def write_epochs(folder: Path, index: int) -> EpochListener:
    """Return the listener that a worker takes for one training.

    Parameters
    ----------
    folder : Path
        That of `relayed_epochs`.
    index : int
        Number of the training.

    Returns
    -------
    listener : callable
        Writes each epoch over the one before.
    """

    def write(n_finished: int, n_epochs: int, logs: dict[str, float]) -> None:
        try:
            (folder / str(index)).write_text(json.dumps([n_finished, n_epochs, logs]))
        except OSError:  # the folder went with the process that wanted to know
            return

    return write


def _watch(folder: Path, listener: IndexedListener, ended: Event) -> None:
    heard: dict[str, str] = {}
    while not ended.wait(_SECONDS):
        for path in sorted(folder.iterdir()):
            text = path.read_text()
            if text == heard.get(path.name):
                continue
            try:
                epoch = json.loads(text)
            except ValueError:  # half written
                continue
            heard[path.name] = text
            listener(int(path.name), *epoch)
