"""Train and test fold after fold, in one process or in several."""

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import CancelledError
from concurrent.futures.process import BrokenProcessPool
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from time import perf_counter
from traceback import format_exc
from typing import Any, NamedTuple

import numpy as np
from joblib import cpu_count, effective_n_jobs
from joblib.parallel import BACKENDS, get_active_backend
from sklearn.base import BaseEstimator
from sklearn.utils import Bunch
from sklearn.utils.parallel import Parallel, delayed  # hand on scikit-learn's configuration

from ._epoch_relay import IndexedListener, relayed_epochs, write_epochs
from ._predictions import find_network, predict_fold, take_utterances, with_seed
from ._process import end_with_parent, start_keras
from ._processor import has_warned, warn_no_more
from ._protocol import Fold
from ._speakers import speaker_params
from .callbacks import listen_to_epochs
from .exceptions import EvaluationError


class Job(NamedTuple):
    """One training: a fold with a seed."""

    fold: Fold
    seed: int

    @property
    def key(self) -> tuple[int, str]:
        """What tells it from the other trainings of an evaluation."""
        return self.seed, self.fold.name


class Task(NamedTuple):
    """A job of one of several models."""

    model: BaseEstimator
    job: Job


class Failure(NamedTuple):
    """Why a training gave nothing: a sentence, and the traceback."""

    reason: str
    traceback: str


def run_tasks(
    tasks: Sequence[Task],
    corpus: Bunch,
    *,
    caveat: str,
    n_jobs: int | None,
    n_threads: int | None,
    keep_going: bool,
    listener: IndexedListener | None = None,
) -> Iterator[tuple[int, dict | Failure]]:
    """Train and test fold after fold, in this process, in several, or on a cluster.

    Inside `joblib.parallel_config(backend="dask")` the workers of the cluster train.

    Parameters
    ----------
    tasks : sequence of Task
        The trainings to run.
    corpus : Bunch
        The corpus.
    caveat : str
        That of the protocol.
    n_jobs : int or None
        Number of trainings at a time.
    n_threads : int or None
        Number of TensorFlow threads of each process; None shares the processors evenly. Workers
        of a cluster have a number of their own.
    keep_going : bool
        Whether a training that fails leaves the others alone.
    listener : callable or None, default=None
        Hears of each epoch, with the number of the task.

    Yields
    ------
    index : int
        Which task, as soon as it is finished.
    result : dict or Failure
        Its predictions, as plain JSON.

    Raises
    ------
    EvaluationError
        If a process of this machine is killed, or the cluster's scheduler is lost.
    """
    n_workers = min(effective_n_jobs(n_jobs), len(tasks))
    run = partial(_run_task, corpus, caveat=caveat, keep_going=keep_going)
    if n_workers < 2:
        for index, task in enumerate(tasks):
            hears = listen_to_epochs(partial(listener, index)) if listener else nullcontext()
            with hears:
                result = run(index, task)
            yield result
        return
    how: dict[str, Any] = {}
    if not isinstance(get_active_backend()[0], BACKENDS.get("dask", ())):
        n_threads = n_threads or max(1, cpu_count() // n_workers)
        # Workers that another call left behind have started with their number of threads.
        initargs = (os.getpid(), n_threads, has_warned())
        how = {"backend": "loky", "initializer": _start_worker, "initargs": initargs}
    parallel = Parallel(n_jobs=n_workers, return_as="generator_unordered", batch_size=1, **how)
    try:
        with relayed_epochs(listener) if listener else nullcontext() as folder:
            calls = (delayed(run)(index, task, folder) for index, task in enumerate(tasks))
            yield from parallel(calls)
    except BrokenProcessPool as error:
        raise EvaluationError(
            "A process that trained a fold was killed, perhaps for want of memory. Finished folds "
            "are kept if there is a folder; resume with fewer processes (n_jobs, --jobs)."
        ) from error
    except CancelledError as error:
        raise EvaluationError(
            "The scheduler of the cluster was lost. Finished folds are kept if there is a folder; "
            "resume (resume=True) once a scheduler is there."
        ) from error


def _start_worker(parent: int, n_threads: int, warned: bool) -> None:
    end_with_parent(parent)
    if warned:  # of this machine's processor
        warn_no_more()
    start_keras(n_threads)


def _run_task(
    corpus: Bunch,
    index: int,
    task: Task,
    folder: Path | None = None,
    *,
    caveat: str,
    keep_going: bool,
) -> tuple[int, dict | Failure]:
    fold, seed = task.job
    try:
        with listen_to_epochs(write_epochs(folder, index)) if folder else nullcontext():
            result = predict_fold(task.model, corpus, fold, seed, caveat)
    except Exception as error:
        if not keep_going:
            raise
        return index, Failure(f"{type(error).__name__}: {error}", format_exc())
    return index, result


def estimate_seconds(model: BaseEstimator, corpus: Bunch, jobs: list[Job]) -> float | None:
    """Estimate how long trainings will take, by training on a few utterances for two epochs.

    Parameters
    ----------
    model : estimator
        The model.
    corpus : Bunch
        The corpus.
    jobs : list of Job
        The trainings to run.

    Returns
    -------
    seconds : float or None
        Wall-clock seconds for all of them, one after the other (in parallel they share the
        processors, so they take about as long); None for a model that has no epochs.
    """
    classifier, probe = find_network(model), with_seed(model, 0)
    if classifier is None or (network := find_network(probe)) is None:
        return None
    network.set_params(epochs=2, epoch_selection="last", verbose=0)
    rows = np.unique(corpus.target, return_index=True)[1].tolist()
    others = [row for row in range(len(corpus.target)) if row not in rows]
    rows += others[: max(0, 2 * classifier.batch_size - len(rows))]
    data, target, groups = take_utterances(corpus, rows)
    start = perf_counter()
    probe.fit(data, target, **speaker_params(probe, groups))
    epoch = network.history_["seconds"][-1]
    before_training = max(0.0, perf_counter() - start - 2 * epoch)  # a fold: graphs, features
    n_trained = sum(len(job.fold.train) for job in jobs)
    return len(jobs) * before_training + classifier.epochs * n_trained * epoch / len(rows)
