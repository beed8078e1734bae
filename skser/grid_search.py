"""Searches a grid of parameters: one evaluation a candidate, all on the same folds."""

import os
from collections.abc import Sequence
from typing import Any

import pandas as pd
from sklearn.base import BaseEstimator
from sklearn.utils import Bunch

from ._candidates import Candidate, Grid, as_json_grid, make_candidates, name_candidate
from ._checks import check_call, check_model, check_seeds, prepare_corpus
from ._protocol import Fold, Protocol
from ._runs import (
    FailedFold,
    Run,
    add_seeds,
    announce,
    describe_run,
    keep_origin,
    plan_run,
    run_all,
)
from ._store import read_settings, write_settings
from .protocols import get_protocol
from .search_results import SearchResult, candidate_folder


def search(
    model: BaseEstimator,
    corpus: Bunch,
    grid: Grid,
    *,
    protocol: str | Protocol = "leave-one-speaker-out",
    out: str | os.PathLike | None = None,
    resume: bool = False,
    n_jobs: int | None = None,
    n_threads: int | None = None,
    seeds: Sequence[int] = (0,),
    verbose: int = 0,
) -> SearchResult:
    """Evaluate every combination of parameters on speakers that it has not heard.

    Each candidate is scored on speakers that it was not trained on, and yet the best score is
    optimistic: the candidate was chosen by those speakers. For a number to report, evaluate
    scikit-learn's `GridSearchCV` with a splitter by group as `cv`: see Notes.

    Parameters
    ----------
    model : estimator
        As in `evaluate`.
    corpus : Bunch
        A corpus of `skser.datasets`.
    grid : dict of str to list, or list of such dicts
        Values by parameter, such as `{"classifier__loss": ["cross_entropy", "focal"]}`.
    protocol : str or Protocol, default="leave-one-speaker-out"
        Who is held out, as in `evaluate`.
    out : path-like, default=None
        A folder. Every finished fold of every candidate is written to it at once, the results at
        the end; `candidates/01` and so on are evaluations.
    resume : bool, default=False
        Go on with the folds that `out` holds, and try those again that failed; grid and settings
        must be the same. The seeds of the run are kept, and those of `seeds` that it lacks are
        added.
    n_jobs : int or None, default=None
        Number of folds that are trained at a time, of whichever candidates, each in a process of
        its own. Inside `joblib.parallel_config(backend="dask")` all workers of the cluster train.
    n_threads : int or None, default=None
        Number of TensorFlow threads of each of these processes; None shares the processors
        evenly.
    seeds : sequence of int, default=(0,)
        Every candidate is evaluated with each of them.
    verbose : int, default=0
        1 says how long it will take and shows a progress bar over candidates, folds and epochs.

    Returns
    -------
    result : SearchResult
        The candidates' scores and evaluations.

    Raises
    ------
    EvaluationError
        If the grid names an unknown parameter, corpus or protocol are refused as in `evaluate`,
        or `out` holds another run. Nothing is trained then.
    ValueError
        If a value of the grid is not allowed; nothing is trained then.
    AudioFileError
        If recordings cannot be read; nothing is trained then.

    Warns
    -----
    FailedFoldWarning
        If a fold fails. The others go on, and its candidate has no scores.
    MissingClassWarning, MixedSpeakersWarning, SmallFoldWarning
        As in `evaluate`.

    See Also
    --------
    evaluate : Evaluates one model, which may be a search itself.

    Notes
    -----
    `evaluate(GridSearchCV(model, grid, cv=GroupKFold()), corpus)` chooses anew in each fold, among
    the speakers that are trained on, and tests what was chosen on the others (nested
    evaluation). Its scores do not know the speakers that they are measured on.

    References
    ----------
    G. Cawley and N. Talbot, "On over-fitting in model selection and subsequent selection bias in
    performance evaluation", Journal of Machine Learning Research, 2010.

    Examples
    --------
    >>> from skser import make_baseline, search
    >>> from skser.datasets import make_emotional_speech
    >>> corpus = make_emotional_speech(n_speakers=2, n_utterances=1, random_state=0)
    >>> model = make_baseline("majority")
    >>> result = search(model, corpus, {"classifier__strategy": ["prior", "uniform"]})
    >>> len(result.results)
    2
    """
    check_call("search", model, out=out, resume=resume, n_jobs=n_jobs)
    protocol = get_protocol(protocol)
    candidates = make_candidates(model, grid)
    seeds = check_seeds("search", seeds, model)
    corpus, folds = prepare_corpus(corpus, protocol)
    for candidate in candidates:
        check_model(candidate.model, protocol, corpus, folds)
    how = {"n_jobs": n_jobs, "n_threads": n_threads}
    call = f"search(model, corpus, grid, {protocol=}, {seeds=})"
    known: dict[str, Any] = {"seeds": seeds, "call": call, **how}
    settings = describe_run(model, corpus, protocol, **known) | {"grid": as_json_grid(grid)}
    earlier = read_settings(out, settings, resume=resume) if out is not None else {}
    add_seeds(settings, earlier)
    known["seeds"] = settings["seeds"]
    runs = _plan(candidates, corpus, protocol, folds, known, out=out, resume=resume)
    if not any(run.todo for run in runs):
        keep_origin(settings, earlier)
    if verbose:
        announce(runs, corpus)
    if out is not None:
        write_settings(out, settings)
    failed = run_all(runs, corpus, protocol, verbose=verbose, keep_going=True, **how)
    evaluations = [None if run.todo else run.finish(corpus) for run in runs]
    params = [candidate.params for candidate in candidates]
    result = SearchResult(params, evaluations, _tabulate(failed, runs), settings)
    if out is not None:
        result.save(out)
    return result


def _plan(
    candidates: list[Candidate],
    corpus: Bunch,
    protocol: Protocol,
    folds: list[Fold],
    known: dict[str, Any],
    *,
    out: str | os.PathLike | None,
    resume: bool,
) -> list[Run]:
    runs = []
    for number, candidate in enumerate(candidates, start=1):
        name = f"candidate {number} of {len(candidates)} ({name_candidate(candidate.params)})"
        settings = describe_run(candidate.model, corpus, protocol, **known) | {"search": name}
        folder = candidate_folder(out, number) if out is not None else None
        run = plan_run(candidate.model, folds, settings, out=folder, resume=resume, name=name)
        runs.append(run)
    return runs


def _tabulate(failed: list[FailedFold], runs: list[Run]) -> pd.DataFrame:
    numbers = {id(run): number for number, run in enumerate(runs, start=1)}
    rows = [
        (numbers[id(fold.run)], fold.job.seed, fold.job.fold.name, fold.failure.reason)
        for fold in failed
    ]
    table = pd.DataFrame(sorted(rows), columns=["candidate", "seed", "fold", "reason"])
    return table.astype({"candidate": int, "seed": int, "fold": str, "reason": str})
