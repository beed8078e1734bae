"""Train and test fold after fold, in one process or in several."""

from collections.abc import Iterator
from time import perf_counter
from typing import NamedTuple

import numpy as np
from joblib import cpu_count, effective_n_jobs
from sklearn.base import BaseEstimator
from sklearn.utils import Bunch
from sklearn.utils.parallel import Parallel, delayed  # hand on scikit-learn's configuration

from ._predictions import find_network, predict_fold, take_utterances, with_seed
from ._process import start_keras
from ._protocol import Fold
from ._speakers import speaker_params
from ._store import FoldStore


class Job(NamedTuple):
    """One training: a fold with a seed."""

    fold: Fold
    seed: int

    @property
    def key(self) -> tuple[int, str]:
        """What tells it from the other trainings of an evaluation."""
        return self.seed, self.fold.name


def run_jobs(
    model: BaseEstimator,
    corpus: Bunch,
    jobs: list[Job],
    *,
    caveat: str,
    store: FoldStore | None,
    n_jobs: int | None,
    n_threads: int | None,
) -> Iterator[tuple[tuple[int, str], dict]]:
    """Train and test fold after fold, in this process or in several.

    Parameters
    ----------
    model : estimator
        Cloned for each training.
    corpus : Bunch
        The corpus.
    jobs : list of Job
        The trainings to run.
    caveat : str
        That of the protocol.
    store : FoldStore or None
        Where each finished fold is written.
    n_jobs : int or None
        Number of trainings at a time.
    n_threads : int or None
        Number of TensorFlow threads of each process; None shares the processors evenly.

    Yields
    ------
    key : tuple of (int, str)
        That of a training, as soon as it is finished.
    result : dict
        Its predictions, as plain JSON.
    """
    n_workers = min(effective_n_jobs(n_jobs), len(jobs))
    if n_workers < 2:
        for job in jobs:
            yield job.key, _run_job(model, corpus, job, caveat, store)
        return
    n_threads = n_threads or max(1, cpu_count() // n_workers)
    parallel = Parallel(
        n_jobs=n_workers,
        backend="loky",
        return_as="generator_unordered",
        batch_size=1,
        # Workers that another call left behind have started with their number of threads.
        initializer=start_keras,
        initargs=(n_threads,),
    )
    results = parallel(delayed(_run_job)(model, corpus, job, caveat, store) for job in jobs)
    for result in results:
        yield (result["seed"], result["fold"]), result


def _run_job(
    model: BaseEstimator, corpus: Bunch, job: Job, caveat: str, store: FoldStore | None
) -> dict:
    result = predict_fold(model, corpus, job.fold, job.seed, caveat)
    if store is not None:
        store.write(job.key, result)
    return result


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
