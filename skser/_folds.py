"""Train and test fold after fold, in one process or in several."""

from collections.abc import Iterator
from time import perf_counter

import numpy as np
from joblib import Parallel, cpu_count, delayed, effective_n_jobs
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, clone
from sklearn.utils import Bunch

from ._process import start_keras
from ._store import FoldStore
from .classifier import LightSERNetClassifier
from .protocols import Fold


def run_folds(
    model: BaseEstimator,
    corpus: Bunch,
    folds: list[Fold],
    store: FoldStore | None,
    n_jobs: int | None,
    n_threads: int | None,
) -> Iterator[tuple[str, dict]]:
    """Train and test fold after fold, in this process or in several.

    Parameters
    ----------
    model : estimator
        Cloned for each fold.
    corpus : Bunch
        The corpus.
    folds : list of Fold
        The folds to run.
    store : FoldStore or None
        Where each finished fold is written.
    n_jobs : int or None
        Number of folds at a time.
    n_threads : int or None
        Number of TensorFlow threads of each process; None shares the processors evenly.

    Yields
    ------
    name : str
        Name of a fold, as soon as it is finished.
    result : dict
        Its predictions, as plain JSON.
    """
    n_workers = min(effective_n_jobs(n_jobs), len(folds))
    if n_workers < 2:
        for fold in folds:
            yield _run_fold(model, corpus, fold, store)
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
    yield from parallel(delayed(_run_fold)(model, corpus, fold, store) for fold in folds)


def _run_fold(
    model: BaseEstimator, corpus: Bunch, fold: Fold, store: FoldStore | None
) -> tuple[str, dict]:
    start = perf_counter()
    fitted = clone(model).fit(*_take(corpus, fold.train))
    utterances, _ = _take(corpus, fold.test)
    result = {
        "fold": fold.name,
        "n_train": len(fold.train),
        "n_test": len(fold.test),
        "classes": fitted.classes_.tolist(),
        "predictions": fitted.predict(utterances).tolist(),
        "probabilities": (
            fitted.predict_proba(utterances).tolist() if hasattr(fitted, "predict_proba") else None
        ),
        "seconds": perf_counter() - start,
    }
    if store is not None:
        store.write(fold.name, result)
    return fold.name, result


def find_classifier(model: BaseEstimator) -> LightSERNetClassifier | None:
    """Return the network of a Pipeline that `make_light_sernet` made.

    Parameters
    ----------
    model : estimator
        Any model.

    Returns
    -------
    classifier : LightSERNetClassifier or None
        None if the model is another one.
    """
    classifier = getattr(model, "named_steps", {}).get("classifier")
    return classifier if isinstance(classifier, LightSERNetClassifier) else None


def estimate_seconds(model: BaseEstimator, corpus: Bunch, folds: list[Fold]) -> float | None:
    """Estimate how long folds will take, by training on a few utterances for two epochs.

    Parameters
    ----------
    model : estimator
        The model.
    corpus : Bunch
        The corpus.
    folds : list of Fold
        The folds to run.

    Returns
    -------
    seconds : float or None
        Wall-clock seconds for all folds, one after the other (parallel folds share the
        processors, so they take about as long); None for a model that has no epochs.
    """
    classifier = find_classifier(model)
    if classifier is None:
        return None
    probe = clone(model).set_params(classifier__epochs=2, classifier__verbose=0)
    rows = np.unique(corpus.target, return_index=True)[1].tolist()
    others = [row for row in range(len(corpus.target)) if row not in rows]
    rows += others[: max(0, 2 * classifier.batch_size - len(rows))]
    start = perf_counter()
    probe.fit(*_take(corpus, rows))
    epoch = probe.named_steps["classifier"].history_["seconds"][-1]
    before_training = max(0.0, perf_counter() - start - 2 * epoch)  # a fold: graphs, features
    n_trained = sum(len(fold.train) for fold in folds)
    return len(folds) * before_training + classifier.epochs * n_trained * epoch / len(rows)


def _take(corpus: Bunch, rows: NDArray[np.intp] | list[int]) -> tuple[list, NDArray]:
    return [corpus.data[row] for row in rows], corpus.target[rows]
