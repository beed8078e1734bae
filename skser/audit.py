"""The check that nothing which a protocol holds out stands on both sides of a split."""

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import Bunch

from ._protocol import Fold, Protocol
from ._text import some
from ._utterances import digest_content, is_path
from .exceptions import EvaluationError
from .protocols import get_protocol


def split_corpus(
    corpus: Bunch, protocol: str | Protocol = "leave-one-speaker-out"
) -> Iterator[Fold]:
    """Split a corpus by a protocol, and audit every split.

    Parameters
    ----------
    corpus : Bunch
        A corpus, with `data`, `target`, `groups` and, for what else is held out, `frame`.
    protocol : str or Protocol, default="leave-one-speaker-out"
        Who is held out: a name or one of `skser.protocols`.

    Yields
    ------
    fold : Fold
        Named by what is held out.

    Raises
    ------
    EvaluationError
        If there is too little to hold out, the corpus does not say what is needed, or a split is
        not independent.
    AudioFileError
        If recordings cannot be read.
    """
    protocol = get_protocol(protocol)
    groups = np.stack([corpus_column(corpus, column) for column in protocol.columns], axis=1)
    corpus = with_content(corpus)
    for fold in protocol.split_named(len(groups), corpus.target, groups):
        if not len(fold.train):
            raise EvaluationError(
                f"Fold '{fold.name}' of {protocol.name} has nothing to train on: every utterance "
                "shares something with it. Take fewer groups, or another protocol."
            )
        audit_split(fold.train, fold.test, corpus, unseen=protocol.unseen)
        yield fold


def audit_split(
    train: ArrayLike,
    test: ArrayLike,
    corpus: Bunch,
    unseen: Sequence[str] = ("speaker",),
) -> None:
    """Check that nothing which must be unseen stands on both sides of a split.

    Recordings are always compared, by their samples, so that a copy by another name is found.

    Parameters
    ----------
    train, test : array-like of int, or of bool of shape (n_samples,)
        Rows of the corpus.
    corpus : Bunch
        The corpus, with `data`, `groups` and, for all but speakers, `frame`.
    unseen : sequence of str, default=("speaker",)
        "speaker", "session", "text", "corpus" or any other column of the corpus' `frame`.

    Raises
    ------
    EvaluationError
        If something does; the message names the first ten. Or if the corpus has no such column.
    AudioFileError
        If recordings cannot be read.
    """
    n_samples = len(corpus.data)
    trained, tested = (np.arange(n_samples)[np.asarray(rows)] for rows in (train, test))
    for column in unseen:
        values = corpus_column(corpus, column)
        _raise_shared(column, np.intersect1d(values[trained], values[tested]))
    content, data = np.asarray(with_content(corpus).content), list(corpus.data)
    heard = tested[np.isin(content[tested], content[trained])]
    twins = [trained[np.argmax(content[trained] == content[row])] for row in heard]
    _raise_shared(
        "recording",
        [
            f"{_name(data[row], row)} (the same as {_name(data[twin], twin)})"
            for row, twin in zip(heard, twins, strict=True)
        ],
        remedy=" Keep one of each.",
    )


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


def corpus_column(corpus: Bunch, column: str) -> NDArray[np.str_]:
    """Return what a corpus says of each utterance.

    Parameters
    ----------
    corpus : Bunch
        The corpus.
    column : str
        "speaker", or a column of the corpus' `frame`.

    Returns
    -------
    values : ndarray of str of shape (n_samples,)
        By position.

    Raises
    ------
    EvaluationError
        If the corpus does not say it of every utterance.
    """
    name, n_samples = corpus.get("name", "corpus"), len(corpus.data)
    if column != "speaker" and ("frame" not in corpus or column not in corpus.frame):
        raise EvaluationError(
            f"Corpus '{name}' does not say the {column} of its utterances: its 'frame' needs a "
            f"column '{column}', or take another protocol."
        )
    values = corpus.groups if column == "speaker" else corpus.frame[column]
    values = np.asarray(values, dtype=object)  # text would make a name of NaN
    if values.shape != (n_samples,):
        raise EvaluationError(
            f"Corpus '{name}' must say the {column} of each of its {n_samples} utterances. Got "
            f"values of shape {values.shape}."
        )
    if n_missing := int(pd.isna(values).sum()):
        raise EvaluationError(
            f"The column '{column}' of corpus '{name}' must have a value for every utterance. Got "
            f"{n_missing} without; take another protocol or corpus."
        )
    return values.astype(np.str_)


def _name(utterance: object, row: int) -> str:
    return str(utterance) if is_path(utterance) else f"row {row}"


def _raise_shared(what: str, shared: Sequence | NDArray, remedy: str = "") -> None:
    if len(shared):
        raise EvaluationError(
            f"The split is not independent: {len(shared)} {what}(s) stand in both training and "
            f"test data: {some(shared)}.{remedy}"
        )
