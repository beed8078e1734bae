"""Who hears of each epoch: progress bars, without a parameter on the estimator."""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from rich.progress import Progress

EpochListener = Callable[[int, int, dict[str, float]], None]
"""Called with the number of finished epochs, the number of all epochs, and the last one's logs."""

_listener: ContextVar[EpochListener | None] = ContextVar("epoch_listener", default=None)


@contextmanager
def listen_to_epochs(listener: EpochListener) -> Iterator[None]:
    """Tell `listener` of every epoch that is fitted inside the `with` block, in this thread.

    Parameters
    ----------
    listener : callable
        Called as `listener(n_finished, n_epochs, logs)`.

    Yields
    ------
    None
        Nothing.
    """
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)


def report_epoch(n_finished: int, n_epochs: int, logs: dict[str, float]) -> None:
    """Tell the listener, if there is one, that an epoch is over.

    Parameters
    ----------
    n_finished : int
        Number of finished epochs.
    n_epochs : int
        Number of all epochs.
    logs : dict of str to float
        What the epoch gave, such as its loss.
    """
    if (listener := _listener.get()) is not None:
        listener(n_finished, n_epochs, logs)


def show_estimate(n_folds: int, seconds: float | None) -> None:
    """Say how long a run will take, on the standard error.

    Parameters
    ----------
    n_folds : int
        Number of folds.
    seconds : float or None
        Estimated time; None says nothing.
    """
    if seconds is not None:
        time = f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"
        print(f"{n_folds} folds to train: about {time} in all.", file=sys.stderr)


class FoldBar:
    """A progress bar over folds that moves with the epochs inside them.

    Parameters
    ----------
    n_folds : int
        Number of all folds.
    n_finished : int, default=0
        Number of folds that are finished already.
    labels : sequence of str, default=()
        What the folds that are left are called.
    """

    def __init__(self, n_folds: int, n_finished: int = 0, labels: Sequence[str] = ()):
        self._bar = _make_bar("Folds")
        self._labels = labels
        self._n_finished = n_finished
        self._shares: dict[int, float] = {}  # of each fold that is left: how much of it is done
        self._task = self._bar.add_task("", total=n_folds, completed=n_finished)

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, *error: Any) -> None:
        self._bar.stop()

    def show_epoch(
        self, index: int, n_finished: int, n_epochs: int, logs: dict[str, float]
    ) -> None:
        """Move by an epoch.

        Parameters
        ----------
        index : int
            Which of the folds that were left it belongs to.
        n_finished, n_epochs : int
            Number of finished epochs of the fold, and of all.
        logs : dict of str to float
            What the epoch gave.
        """
        if self._shares.get(index, 0) < 1:  # word of another process may come late
            label = f"{self._labels[index]}, " if self._labels else ""
            text = f"{label}epoch {n_finished}/{n_epochs}, loss {logs['loss']:.3f}"
            # A fold ends with its predictions, not with its last epoch.
            self._move(index, min(n_finished / n_epochs, 0.999), text)

    def end_fold(self, index: int, *, failed: bool = False) -> None:
        """Move to the end of a fold.

        Parameters
        ----------
        index : int
            Which of the folds that were left.
        failed : bool, default=False
            Whether it gave nothing.
        """
        self._move(index, 1)
        if not self._bar.console.is_terminal:  # where a bar is seen at its end only
            label = self._labels[index] if self._labels else "a fold"
            done = self._n_finished + sum(share == 1 for share in self._shares.values())
            end = "failed" if failed else "finished"
            self._bar.console.print(f"{label} {end}, {done} of {self._bar.tasks[0].total}")

    def _move(self, index: int, share: float, text: str | None = None) -> None:
        self._shares[index] = share
        completed = self._n_finished + sum(self._shares.values())
        self._bar.update(self._task, completed=completed, description=text)


@contextmanager
def epoch_bar(n_epochs: int) -> Iterator[None]:
    """Show the epochs that are fitted inside the `with` block, with the time left.

    Parameters
    ----------
    n_epochs : int
        Number of all epochs.

    Yields
    ------
    None
        Nothing.
    """
    outer = _listener.get()
    with _make_bar("Epochs") as bar:
        task = bar.add_task("", total=n_epochs)

        def show(n_finished: int, n_epochs: int, logs: dict[str, float]) -> None:
            bar.update(task, completed=n_finished, description=f"loss {logs['loss']:.3f}")
            if outer is not None:
                outer(n_finished, n_epochs, logs)

        with listen_to_epochs(show):
            yield
        bar.update(task, total=bar.tasks[0].completed)  # it may have stopped before the last


def _make_bar(what: str) -> "Progress":
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
    from rich.progress import TimeRemainingColumn as TimeLeftColumn

    return Progress(
        TextColumn(what),
        BarColumn(),
        TextColumn("{task.completed:.1f}/{task.total}"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeLeftColumn(),
        TextColumn("{task.description}"),
        console=Console(stderr=True),
        # By default the time left is forgotten when a fold or an epoch takes more than 30 s.
        speed_estimate_period=float("inf"),
    )
