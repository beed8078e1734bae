"""Who is held out: speaker-independent splits, and the check that they are."""

import os
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import LeaveOneGroupOut
from sklearn.utils import Bunch

from .exceptions import EvaluationError


class Fold(NamedTuple):
    """One split of a corpus: its name, and the rows to train and to test on."""

    name: str
    train: NDArray[np.intp]
    test: NDArray[np.intp]


class Protocol(NamedTuple):
    """How a corpus is split, and what the network has not heard before it is tested."""

    name: str
    unseen: str


LEAVE_ONE_SPEAKER_OUT = Protocol(
    name="leave-one-speaker-out",
    unseen="the speaker: each is predicted by a network that was trained on all the others",
)


def split_corpus(corpus: Bunch) -> Iterator[Fold]:
    """Split a corpus so that each speaker is held out once, and audit every split.

    Parameters
    ----------
    corpus : Bunch
        A corpus, with `data`, `target` and `groups`.

    Yields
    ------
    fold : Fold
        Named by the speaker who is held out.

    Raises
    ------
    EvaluationError
        If there are fewer than two speakers, or a split is not speaker-independent.
    """
    groups = np.asarray(corpus.groups)
    if len(speakers := np.unique(groups)) < 2:
        raise EvaluationError(
            "Leave-one-speaker-out needs at least two speakers. The corpus has "
            f"{len(speakers)}: {', '.join(map(str, speakers))}."
        )
    for train, test in LeaveOneGroupOut().split(groups, groups=groups):
        audit_split(train, test, corpus)
        yield Fold(str(groups[test[0]]), train, test)


def audit_split(train: NDArray[np.intp], test: NDArray[np.intp], corpus: Bunch) -> None:
    """Check that no speaker and no utterance stands on both sides of a split.

    Parameters
    ----------
    train, test : ndarray of int
        Rows of the corpus.
    corpus : Bunch
        The corpus, with `data` and `groups`.

    Raises
    ------
    EvaluationError
        If one does; the message names the first ten.
    """
    groups = np.asarray(corpus.groups)
    _raise_shared("speaker", groups[train], groups[test])
    if all(isinstance(utterance, str | os.PathLike) for utterance in corpus.data):
        files = np.array([os.fspath(utterance) for utterance in corpus.data])
        _raise_shared("recording", files[train], files[test])


def _raise_shared(what: str, train: NDArray, test: NDArray) -> None:
    shared = np.intersect1d(train, test)
    if len(shared):
        raise EvaluationError(
            f"The split is not independent: {len(shared)} {what}(s) stand in both training and "
            f"test data: {', '.join(map(str, shared[:10]))}."
        )
