"""Who is held out: speaker-independent splits, and the check that they are."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import LeaveOneGroupOut
from sklearn.utils import Bunch

from ._text import some
from ._utterances import digest_content, is_path
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
    unseen="the speaker: each is predicted by a model that was trained on all the others",
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
        If there are fewer than two speakers, or a split is not independent.
    AudioFileError
        If recordings cannot be read.
    """
    groups = np.asarray(corpus.groups)
    if len(speakers := np.unique(groups)) < 2:
        raise EvaluationError(
            "Leave-one-speaker-out needs at least two speakers. The corpus has "
            f"{len(speakers)}: {some(speakers)}."
        )
    corpus = with_content(corpus)
    for train, test in LeaveOneGroupOut().split(groups, groups=groups):
        audit_split(train, test, corpus)
        yield Fold(str(groups[test[0]]), train, test)


def audit_split(train: NDArray[np.intp], test: NDArray[np.intp], corpus: Bunch) -> None:
    """Check that no speaker and no recording stands on both sides of a split.

    Recordings are compared by their samples, so that a copy by another name is found.

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
    AudioFileError
        If recordings cannot be read.
    """
    speakers = np.asarray(corpus.groups)
    _raise_shared("speaker", np.intersect1d(speakers[train], speakers[test]))
    content = np.asarray(with_content(corpus).content)
    heard = test[np.isin(content[test], content[train])]
    _raise_shared("recording", [_name(corpus.data[row], row) for row in heard])


def with_content(corpus: Bunch) -> Bunch:
    """Add the digests of the utterances' samples, unless the corpus has them.

    Parameters
    ----------
    corpus : Bunch
        A corpus, with `data`.

    Returns
    -------
    corpus : Bunch
        The same, with `content`: one digest an utterance.

    Raises
    ------
    AudioFileError
        If recordings cannot be read; the message names the first ten and the count.
    """
    if "content" in corpus:
        return corpus
    return Bunch(**{**corpus, "content": digest_content(list(corpus.data))})


def _name(utterance: object, row: int) -> str:
    return str(utterance) if is_path(utterance) else f"row {row}"


def _raise_shared(what: str, shared: Sequence | NDArray) -> None:
    if len(shared):
        raise EvaluationError(
            f"The split is not independent: {len(shared)} {what}(s) stand in both training and "
            f"test data: {some(shared)}."
        )
