"""Runs a protocol fold by fold, keeps each on disk, and returns one Evaluation."""

import os
import warnings
from collections.abc import Iterable, Sequence
from contextlib import nullcontext
from functools import partial
from numbers import Integral
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.utils import Bunch
from sklearn.utils.validation import check_consistent_length

from ._environment import (
    describe_backend,
    describe_command,
    describe_processors,
    describe_versions,
)
from ._folds import Job, estimate_seconds, run_jobs
from ._predictions import find_network, holds_network, seed_params
from ._protocol import Fold, Protocol
from ._store import FoldStore, as_json, describe_corpus, describe_model
from ._text import some
from ._utterances import is_path
from .adaptation import SpeakerStandardizer
from .audit import corpus_column, split_corpus, with_content
from .callbacks import FoldBar, show_estimate
from .exceptions import EvaluationError, MissingClassWarning, SmallFoldWarning
from .functionals import FunctionalsTransformer
from .protocols import SpeakerAdaptation, get_protocol
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
    on, unless the protocol is "published", whose results say so.

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
        A folder. Every finished fold is written to it at once, the results at the end.
    resume : bool, default=False
        Go on with the folds that `out` holds; their settings must be the same. The seeds of the
        run are kept, and those of `seeds` that it lacks are added.
    n_jobs : int or None, default=None
        Number of folds that are trained at a time, each in a process of its own.
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
        differ, a split is not independent, or `out` holds another run.
    AudioFileError
        If recordings cannot be read; nothing is trained then.

    Warns
    -----
    MissingClassWarning
        If the training data of a fold lack an emotion, so that it cannot be predicted.
    SmallFoldWarning
        If a speaker has a single utterance, so that its own scores say little.

    References
    ----------
    B. Schuller et al., "Cross-corpus acoustic emotion recognition: variances and strategies",
    IEEE Transactions on Affective Computing, 2010 (speaker-independent evaluation and UAR).
    """
    if resume and out is None:
        raise EvaluationError("resume=True needs the folder to go on with; pass out=.")
    if n_jobs == 0:
        raise EvaluationError(
            "The 'n_jobs' parameter of evaluate must be None, at least 1, or -1. Got 0 instead."
        )
    if not hasattr(model, "get_params") or isinstance(model, type):
        raise EvaluationError(
            "The 'model' parameter of evaluate must be a scikit-learn estimator, such as "
            f"make_light_sernet(). Got {model!r} instead."
        )
    protocol = get_protocol(protocol)
    seeds = _check_seeds(seeds, model)
    corpus = _check_corpus(corpus)
    folds = list(split_corpus(corpus, protocol))
    _check_classes(folds, corpus)
    _check_speakers(corpus)
    _check_model(model, protocol)
    settings = {
        **_describe_run(model, corpus, protocol, seeds),
        "processors": describe_processors(n_jobs, n_threads),
    }
    store = FoldStore(out, settings, resume=resume) if out is not None else None
    if store and (earlier := store.earlier.get("seeds")):
        # No seed that is finished is left out, so that the best one cannot be picked.
        settings["seeds"] = seeds = sorted({*earlier, *seeds})
    jobs = [Job(fold, seed) for seed in seeds for fold in folds]
    finished = {job.key: done for job in jobs if store and (done := store.read(job.key))}
    todo = [job for job in jobs if job.key not in finished]
    if verbose and todo:
        show_estimate(len(todo), estimate_seconds(model, corpus, todo))
    if store and not todo:
        settings |= {k: v for k, v in store.earlier.items() if k in ("processors", "command")}
    if store:
        store.start()
    run = partial(run_jobs, caveat=protocol.caveat, store=store, n_jobs=n_jobs, n_threads=n_threads)
    with FoldBar(len(jobs), len(finished)) if verbose else nullcontext() as bar:
        for key, result in run(model, corpus, todo):
            finished[key] = result
            if bar:
                bar.finish_fold()
    evaluation = _assemble(corpus, jobs, finished, settings)
    if out is not None:
        evaluation.save(out)
    return evaluation


def _check_seeds(seeds: Sequence[int], model: BaseEstimator) -> list[int]:
    given = list(seeds) if isinstance(seeds, Iterable) else [seeds]
    right = all(isinstance(seed, Integral) and 0 <= seed < 2**32 for seed in given)
    if not given or not right or len(set(given)) < len(given):
        raise EvaluationError(
            "The 'seeds' parameter of evaluate must be one or more different ints in the range "
            f"[0, 4294967295]. Got {seeds!r} instead."
        )
    if len(given) > 1 and not seed_params(model):
        raise EvaluationError(
            f"The model {type(model).__name__} has no 'random_state', so that all seeds give the "
            f"same. Got the 'seeds' {seeds!r}; leave them out."
        )
    return [int(seed) for seed in given]


def _check_model(model: BaseEstimator, protocol: Protocol) -> None:
    if protocol.caveat and find_network(model) is None:
        raise EvaluationError(
            f"The protocol {protocol.name} chooses an epoch on the test fold, so it needs a model "
            "that has epochs: LightSERNetClassifier or a Pipeline that ends in it, and no "
            f"baseline or search. Got {type(model).__name__} instead."
        )
    parts = [model, *model.get_params(deep=True).values()]
    if any(isinstance(part, SpeakerStandardizer) for part in parts) != protocol.adapts:
        raise EvaluationError(
            "A model with a SpeakerStandardizer hears the test speaker before it predicts, so it "
            f"belongs to the protocol {SpeakerAdaptation.name}, and that protocol to such models. "
            f"Got the protocol {protocol.name}."
        )


def _describe_run(
    model: BaseEstimator, corpus: Bunch, protocol: Protocol, seeds: list[int]
) -> dict[str, Any]:
    return {
        "corpus": describe_corpus(corpus, *_held_out(corpus, protocol)),
        "protocol": _describe_protocol(protocol),
        "epoch": _describe_epoch(model, protocol),
        "seeds": seeds,
        "model": describe_model(model),
        "versions": describe_versions(*_needed_packages(model)),
        "keras_backend": describe_backend() if holds_network(model) else None,
        "command": describe_command(f"evaluate(model, corpus, {protocol=}, {seeds=})"),
    }


def _needed_packages(model: BaseEstimator) -> list[str]:
    """Name the optional packages that the features of a model are computed by."""
    parts = [model, *model.get_params(deep=True).values()]
    return ["opensmile"] if any(isinstance(p, FunctionalsTransformer) for p in parts) else []


def _describe_protocol(protocol: Protocol) -> dict[str, Any]:
    description = protocol.describe()
    parameters = {name: as_json(value) for name, value in description["parameters"].items()}
    return {**description, "parameters": parameters}


def _held_out(corpus: Bunch, protocol: Protocol) -> list[NDArray[np.str_]]:
    return [corpus_column(corpus, column) for column in protocol.columns if column != "speaker"]


def _describe_epoch(model: BaseEstimator, protocol: Protocol) -> str | None:
    if (network := find_network(model)) is None:
        return "as the model sets it, by training data alone" if holds_network(model) else None
    if protocol.caveat:
        return f"the last of {network.epochs} with the best accuracy on the test fold"
    if network.epoch_selection == "inner":
        return (
            f"the last of {network.epochs} with the best UAR on training speakers set aside "
            f"({network.validation_fraction:.0%} of them, who are not trained on)"
        )
    return f"the last of {network.epochs}, fixed before the run"


def _check_corpus(corpus: Bunch) -> Bunch:
    """Return the corpus by position, whatever index its columns have, with digests."""
    for column in ("data", "target", "groups"):
        if not isinstance(corpus, Bunch) or column not in corpus:
            raise EvaluationError(
                f"A corpus must have 'data', 'target' and 'groups' (speakers). '{column}' is "
                "missing; make_bunch makes a corpus from a table."
            )
    try:
        check_consistent_length(corpus.data, corpus.target, corpus.groups, corpus.get("frame"))
    except ValueError as error:
        rows = f", and {len(corpus.frame)} rows of its 'frame'" if "frame" in corpus else ""
        raise EvaluationError(
            "A corpus must have as many 'data' as 'target' and 'groups'. Got "
            f"{len(corpus.data)}, {len(corpus.target)} and {len(corpus.groups)}{rows}."
        ) from error
    if n_missing := int(pd.isna(np.asarray(corpus.target, dtype=object)).sum()):
        raise EvaluationError(
            f"A corpus must have an emotion for every utterance. Got {n_missing} without."
        )
    if len(np.unique(corpus.target)) < 2:
        raise EvaluationError("A corpus must have at least two emotions to be told apart.")
    return with_content(
        Bunch(
            name=corpus.get("name", "corpus"),
            data=list(corpus.data),
            target=np.asarray(corpus.target),
            groups=np.asarray(corpus.groups),
            file=_file_names(corpus),
            **({"frame": corpus.frame} if "frame" in corpus else {}),
        )
    )


def _check_classes(folds: Iterable[Fold], corpus: Bunch) -> None:
    emotions = np.unique(corpus.target)
    for fold in folds:
        heard = np.unique(corpus.target[fold.train])
        if len(heard) < 2:
            raise EvaluationError(
                f"Fold '{fold.name}': the training data have only one emotion, {heard[0]}; a "
                "model needs at least two to tell apart."
            )
        missing = [str(emotion) for emotion in np.setdiff1d(emotions, heard)]
        if missing:
            warnings.warn(
                f"Fold '{fold.name}': the training data lack {', '.join(missing)}, so the "
                "model cannot predict it there; its probability is written as 0.",
                MissingClassWarning,
                stacklevel=3,
            )


def _check_speakers(corpus: Bunch) -> None:
    speakers, counts = np.unique(corpus.groups, return_counts=True)
    if len(lonely := speakers[counts == 1]):
        warnings.warn(
            f"{len(lonely)} speaker(s) have a single utterance: {some(lonely)}. Their own scores "
            "are 0 or 1; take the pooled ones.",
            SmallFoldWarning,
            stacklevel=3,
        )


def _assemble(corpus: Bunch, jobs: list[Job], finished: dict, settings: dict) -> Evaluation:
    """Put the predictions into the order of seeds and corpus, with one column an emotion."""
    known = pd.DataFrame(
        {"file": corpus.file, "speaker": corpus.groups, "label": corpus.target}
    ).astype(str)
    tables = [_tabulate(job, finished[job.key], known) for job in jobs]
    predicted = pd.concat([table.sort_index() for table in _by_seed(jobs, tables)])
    ordered = [f"p_{label}" for label in settings["corpus"]["emotions"]]
    if predicted.columns.isin(ordered).any():
        others = [name for name in predicted if name not in ordered]
        predicted = predicted.reindex(columns=[*others, *ordered])
        predicted = predicted.fillna(dict.fromkeys(ordered, 0.0))
    known_of_network = ("epoch", "n_parameters")
    columns = ("seed", "fold", "caveat", "n_train", "n_test", "best_params", *known_of_network)
    rows = [
        {
            name: finished[job.key][name]
            for name in (*columns, "seconds")
            if name in finished[job.key]
        }
        for job in jobs
    ]
    folds = pd.DataFrame(rows)
    return Evaluation(predicted.reset_index(drop=True), folds, settings)


def _tabulate(job: Job, result: dict, known: pd.DataFrame) -> pd.DataFrame:
    """Return a fold's predictions as a table, indexed by the rows of the corpus."""
    table = known.iloc[job.fold.test].copy()
    table.insert(0, "seed", job.seed)
    table.insert(1, "fold", job.fold.name)
    for name in ("prediction", "prediction_float16", "prediction_last_epoch"):
        key = name.replace("prediction", "predictions", 1)
        if key in result:
            table[name] = np.array(result[key]).astype(str)
    if "caveat" in result:
        table["caveat"] = result["caveat"]
    if result["probabilities"] is not None:
        table[[f"p_{label}" for label in result["classes"]]] = np.array(result["probabilities"])
    return table


def _by_seed(jobs: list[Job], tables: list[pd.DataFrame]) -> list[pd.DataFrame]:
    seeds = dict.fromkeys(job.seed for job in jobs)
    return [
        pd.concat([table for job, table in zip(jobs, tables, strict=True) if job.seed == seed])
        for seed in seeds
    ]


def _file_names(corpus: Bunch) -> list[str]:
    if "frame" in corpus and "file" in corpus.frame:
        return [str(name) for name in corpus.frame["file"]]
    if all(is_path(utterance) for utterance in corpus.data):
        return [str(utterance) for utterance in corpus.data]
    return [f"utterance {row}" for row in range(len(corpus.data))]
