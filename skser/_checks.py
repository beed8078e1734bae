"""What an evaluation refuses or warns of before anything is trained."""

import os
import warnings
from collections.abc import Iterable, Mapping, Sequence
from numbers import Integral
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator
from sklearn.utils import Bunch
from sklearn.utils.validation import check_consistent_length

from ._inner_splits import mixed_speakers
from ._parts import parts_of
from ._predictions import find_network, seed_params
from ._protocol import Fold, Protocol
from ._text import some
from ._utterances import is_path
from .adaptation import SpeakerStandardizer
from .audit import split_corpus, with_content
from .exceptions import EvaluationError, MissingClassWarning, MixedSpeakersWarning, SmallFoldWarning
from .protocols import SpeakerAdaptation

_CALLER = 4  # who called evaluate or search, seen from a function that `prepare_corpus` calls


def check_call(
    caller: str,
    model: BaseEstimator,
    *,
    out: str | os.PathLike | None,
    resume: bool,
    n_jobs: int | None,
) -> None:
    """Refuse parameters that cannot be meant.

    Parameters
    ----------
    caller : {"evaluate", "search"}
        Whose parameters they are.
    model : estimator
        The model.
    out : path-like or None
        The folder.
    resume : bool
        Whether to go on with it.
    n_jobs : int or None
        Number of processes.

    Raises
    ------
    EvaluationError
        If the model is none, there is no folder to go on with, or no process.
    """
    if resume and out is None:
        raise EvaluationError("resume=True needs the folder to go on with; pass out=.")
    if n_jobs == 0:
        raise EvaluationError(
            f"The 'n_jobs' parameter of {caller} must be None, at least 1, or -1. Got 0 instead."
        )
    if not hasattr(model, "get_params") or isinstance(model, type):
        raise EvaluationError(
            f"The 'model' parameter of {caller} must be a scikit-learn estimator, such as "
            f"make_light_sernet(). Got {model!r} instead."
        )


def check_seeds(caller: str, seeds: Sequence[int], model: BaseEstimator) -> list[int]:
    """Return seeds as plain ints.

    Parameters
    ----------
    caller : {"evaluate", "search"}
        Whose parameter they are.
    seeds : sequence of int
        The seeds.
    model : estimator
        The model.

    Returns
    -------
    seeds : list of int
        As given.

    Raises
    ------
    EvaluationError
        If one is none or given twice, or there are several for a model that has no seed.
    """
    given = list(seeds) if isinstance(seeds, Iterable) else [seeds]
    right = all(isinstance(seed, Integral) and 0 <= seed < 2**32 for seed in given)
    if not given or not right or len(set(given)) < len(given):
        raise EvaluationError(
            f"The 'seeds' parameter of {caller} must be one or more different ints in the range "
            f"[0, 4294967295]. Got {seeds!r} instead."
        )
    if len(given) > 1 and not seed_params(model):
        raise EvaluationError(
            f"The model {type(model).__name__} has no 'random_state', so that all seeds give the "
            f"same. Got the 'seeds' {seeds!r}; leave them out."
        )
    return [int(seed) for seed in given]


def check_model(
    model: BaseEstimator, protocol: Protocol, corpus: Bunch, folds: Sequence[Fold]
) -> None:
    """Refuse a model that a protocol has no use for, and warn of one that mixes speakers inside.

    Parameters
    ----------
    model : estimator
        The model.
    protocol : Protocol
        The protocol.
    corpus : Bunch
        The corpus.
    folds : sequence of Fold
        The splits.

    Raises
    ------
    EvaluationError
        If the protocol chooses an epoch and the model has none, or only one of the two adapts to
        speakers.

    Warns
    -----
    MixedSpeakersWarning
        If a part of the model splits its training data, and not by speaker.
    """
    if protocol.caveat and find_network(model) is None:
        raise EvaluationError(
            f"The protocol {protocol.name} chooses an epoch on the test fold, so it needs a model "
            "that has epochs: LightSERNetClassifier or a Pipeline that ends in it, and no "
            f"baseline or search. Got {type(model).__name__} instead."
        )
    parts = parts_of(model)
    searches = any(hasattr(part, "cv") for part in parts)
    adapts = _adapts(model)
    if adapts and not protocol.adapts:
        has = "The model has, or a search in it may choose," if searches else "The model has"
        other = "leave it out of the search, or evaluate a Pipeline" if searches else "evaluate it"
        raise EvaluationError(
            f"{has} a SpeakerStandardizer or speaker_adaptation=True, which hears the test "
            f"speaker before it predicts; {other} with protocol='{SpeakerAdaptation.name}'. Got "
            f"{protocol.name!r}."
        )
    if protocol.adapts and not adapts:
        raise EvaluationError(
            f"The protocol {protocol.name} is for models that adapt, and this one has neither a "
            "SpeakerStandardizer nor speaker_adaptation=True; make it with "
            "speaker_adaptation=True, or take another protocol."
        )
    if protocol.adapts and searches:
        raise EvaluationError(
            f"The protocol {protocol.name} takes no search: its inner splits would adapt to "
            f"several speakers as if they were one. Got {type(model).__name__}; evaluate the "
            "Pipeline itself."
        )
    train = folds[0].train
    for part, speakers in mixed_speakers(model, corpus.target[train], corpus.groups[train]):
        name = type(part).__name__
        warnings.warn(
            f"The inner splits of {name} (cv={part.cv!r}) mix speakers: {some(speakers)} stand on "
            f"both sides, so that {name} chooses by how well it does on speakers that it has "
            "heard. Pass a splitter by group, such as cv=GroupKFold() or cv=LeaveOneGroupOut(); "
            "evaluate tells it the speakers (groups).",
            MixedSpeakersWarning,
            stacklevel=3,
        )


def _adapts(part: Any) -> bool:
    """Tell whether a part of a model hears a speaker before it predicts, or a search may try it."""
    match part:
        case SpeakerStandardizer():
            return True
        case BaseEstimator():
            return _adapts(part.get_params(deep=False))
        case Mapping():  # parameters, or the grid of a search
            return any(
                np.any(value) if str(name).endswith("speaker_adaptation") else _adapts(value)
                for name, value in part.items()
            )
        case np.ndarray() if part.dtype == object:
            return any(map(_adapts, part.flat))
        case list() | tuple():
            return any(map(_adapts, part))
        case _:
            return False


def prepare_corpus(corpus: Bunch, protocol: Protocol) -> tuple[Bunch, list[Fold]]:
    """Check a corpus, split it and audit every split.

    Parameters
    ----------
    corpus : Bunch
        The corpus.
    protocol : Protocol
        Who is held out.

    Returns
    -------
    corpus : Bunch
        By position, whatever index its columns have, with digests.
    folds : list of Fold
        The splits.

    Raises
    ------
    EvaluationError
        If the corpus cannot be evaluated so, or a split is not independent.
    AudioFileError
        If recordings cannot be read.

    Warns
    -----
    MissingClassWarning
        If the training data of a fold lack an emotion.
    SmallFoldWarning
        If a speaker has a single utterance.
    """
    corpus = _check_corpus(corpus)
    folds = list(split_corpus(corpus, protocol))
    _check_classes(folds, corpus)
    _check_speakers(corpus)
    return corpus, folds


def name_files(corpus: Any) -> list[str]:
    """Name each utterance: by the corpus' frame, its path, or its row.

    Parameters
    ----------
    corpus : Bunch
        The corpus.

    Returns
    -------
    names : list of str
        One an utterance.
    """
    if "frame" in corpus and "file" in corpus.frame:
        return [str(name) for name in corpus.frame["file"]]
    if all(is_path(utterance) for utterance in corpus.data):
        return [str(utterance) for utterance in corpus.data]
    return [f"utterance {row}" for row in range(len(corpus.data))]


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
            file=name_files(corpus),
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
                stacklevel=_CALLER,
            )


def _check_speakers(corpus: Bunch) -> None:
    speakers, counts = np.unique(corpus.groups, return_counts=True)
    if len(lonely := speakers[counts == 1]):
        warnings.warn(
            f"{len(lonely)} speaker(s) have a single utterance: {some(lonely)}. Their own scores "
            "are 0 or 1; take the pooled ones.",
            SmallFoldWarning,
            stacklevel=_CALLER,
        )
