"""Who hears of each epoch: progress bars, without a parameter on the estimator."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

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
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
    from rich.progress import TimeRemainingColumn as TimeLeft

    columns = (TextColumn("Epochs"), BarColumn(), MofNCompleteColumn(), TimeLeft())
    with Progress(*columns, TextColumn("{task.description}"), console=Console(stderr=True)) as bar:
        task = bar.add_task("", total=n_epochs)

        def show(n_finished: int, n_epochs: int, logs: dict[str, float]) -> None:
            bar.update(task, completed=n_finished, description=f"loss {logs['loss']:.3f}")
            report(n_finished, n_epochs, logs)

        report = _listener.get() or (lambda *_: None)
        with listen_to_epochs(show):
            yield
