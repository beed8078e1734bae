"""Runs a protocol fold by fold, keeps each on disk, and returns one Evaluation."""

import os
from collections.abc import Sequence

from sklearn.base import BaseEstimator
from sklearn.utils import Bunch

from ._checks import check_call, check_model, check_seeds, prepare_corpus
from ._protocol import Protocol
from ._runs import FailedFold, announce, describe_run, plan_run, run_all
from ._text import some
from .exceptions import EvaluationError
from .protocols import get_protocol
from .results import Evaluation


def evaluate(
    model: BaseEstimator,
    corpus: Bunch,
    *,
    protocol: str | Protocol = "leave-one-speaker-out",
    out: str | os.PathLike | None = None,
    resume: bool = False,
    n_jobs: int | None = None,
    n_threads: int | None = None,
    seeds: Sequence[int] = (0,),
    verbose: int = 0,
) -> Evaluation:
    """Evaluate a model on speakers that it has not heard.

    Every split is audited before anything is trained. No score knows the speaker it is measured
    on, unless the protocol is "published", or "speaker-adaptation", which hears the speaker
    without labels; the results say so.

    Parameters
    ----------
    model : estimator
        A classifier of the corpus' `data`, such as the Pipeline of `make_light_sernet`. It is
        cloned for each fold and told the speakers (`groups`) if its `fit` asks for them.
    corpus : Bunch
        A corpus of `skser.datasets`: `data`, `target`, `groups` and, if known, `frame`.
    protocol : str or Protocol, default="leave-one-speaker-out"
        Who is held out: "leave-one-speaker-out", "leave-one-session-out", "speaker-groups",
        "speaker-and-text", "corpus-to-corpus", or one of `skser.protocols` with parameters of
        its own. "published" is the procedure behind the published figures, which knows the test
        fold.
    out : path-like, default=None
        A folder. Every finished fold is written to it at once, the results at the end. A fold
        that fails is reported and the others go on; without a folder its error ends the run.
    resume : bool, default=False
        Go on with the folds that `out` holds; their settings must be the same. The seeds of the
        run are kept, and those of `seeds` that it lacks are added.
    n_jobs : int or None, default=None
        Number of folds that are trained at a time, each in a process of its own. Inside
        `joblib.parallel_config(backend="dask")` all workers of the cluster train.
    n_threads : int or None, default=None
        Number of TensorFlow threads of each of these processes; None shares the processors
        evenly. Without parallel folds the number belongs to the caller's process.
    seeds : sequence of int, default=(0,)
        The whole evaluation is run with each of them as every `random_state` of the model.
    verbose : int, default=0
        1 says how long it will take and shows a progress bar.

    Returns
    -------
    evaluation : Evaluation
        Predictions of all utterances, with pooled and per-speaker scores.

    Raises
    ------
    EvaluationError
        If the corpus does not say what the protocol holds out or has too little of it, lengths
        differ, a split is not independent, `out` holds another run, or folds failed.
    AudioFileError
        If recordings cannot be read; nothing is trained then.

    Warns
    -----
    MissingClassWarning
        If the training data of a fold lack an emotion, so that it cannot be predicted.
    MixedSpeakersWarning
        If the model holds a search, or another part with `cv` and `estimator`, whose inner
        splits mix speakers.
    FailedFoldWarning
        If a fold fails.
    SlowPrecisionWarning
        If the processor has no instructions for the network's number format.
    SmallFoldWarning
        If a speaker has a single utterance, so that its own scores say little.

    References
    ----------
    B. Schuller et al., "Cross-corpus acoustic emotion recognition: variances and strategies",
    IEEE Transactions on Affective Computing, 2010 (speaker-independent evaluation and UAR).
    """
    check_call("evaluate", model, out=out, resume=resume, n_jobs=n_jobs)
    protocol = get_protocol(protocol)
    seeds = check_seeds("evaluate", seeds, model)
    corpus, folds = prepare_corpus(corpus, protocol)
    check_model(model, protocol, corpus, folds)
    how = {"n_jobs": n_jobs, "n_threads": n_threads}
    call = f"evaluate(model, corpus, {protocol=}, {seeds=})"
    settings = describe_run(model, corpus, protocol, seeds=seeds, call=call, **how)
    run = plan_run(model, folds, settings, out=out, resume=resume)
    if verbose:
        announce([run], corpus)
    keep_going = out is not None
    failed = run_all([run], corpus, protocol, verbose=verbose, keep_going=keep_going, **how)
    if failed:
        raise _join(failed)
    evaluation = run.finish(corpus)
    if out is not None:
        evaluation.save(out)
    return evaluation


def _join(failed: list[FailedFold]) -> EvaluationError:
    """Return one error for all folds that failed."""
    reasons: dict[str, list[FailedFold]] = {}
    for fold in failed:
        reasons.setdefault(fold.failure.reason, []).append(fold)
    text = "; ".join(f"{some(folds)}: {reason}" for reason, folds in reasons.items())
    run = failed[0].run
    kept = "The others are kept in the folder; " if len(failed) < len(run.jobs) else ""
    error = EvaluationError(
        f"{len(failed)} of {len(run.jobs)} folds failed: {text.rstrip('.')}. {kept}"
        "resume=True (--resume) tries those that failed again."
    )
    error.add_note(failed[0].failure.traceback)
    return error
