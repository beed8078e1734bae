"""Who is held out: protocols as scikit-learn splitters, and the check that a split is honest."""

from collections.abc import Iterator
from numbers import Integral
from types import MappingProxyType
from typing import Any, ClassVar, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.model_selection import BaseCrossValidator
from sklearn.utils.validation import _num_samples

from ._even_groups import group_evenly
from ._text import some
from .exceptions import EvaluationError

CAVEAT = "knows the test fold"


class Fold(NamedTuple):
    """One split of a corpus: its name, and the rows to train and to test on."""

    name: str
    train: NDArray[np.intp]
    test: NDArray[np.intp]


class Protocol(BaseCrossValidator):
    """What the protocols share: each utterance belongs to the test data of one fold.

    Attributes
    ----------
    name : str
        Name in prints and files, and in `PROTOCOLS`.
    sentence : str
        Says what is unseen.
    columns : tuple of str
        What `groups` holds: the speakers, or columns of the corpus' `frame`.
    unseen : tuple of str
        Columns of which no value may stand on both sides of a split.
    caveat : str
        What every result says of itself; empty unless the model knows its test data.
    """

    name: ClassVar[str]
    sentence: ClassVar[str]
    columns: ClassVar[tuple[str, ...]] = ("speaker",)
    unseen: ClassVar[tuple[str, ...]] = ("speaker",)
    caveat: ClassVar[str] = ""
    __metadata_request__split: ClassVar[dict] = {"groups": True}

    def split(
        self, X: Any, y: ArrayLike | None = None, groups: ArrayLike | None = None
    ) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp]]]:
        """Split utterances into training and test data.

        Parameters
        ----------
        X : array-like of shape (n_samples, ...)
            Ignored but for its length.
        y : array-like of shape (n_samples,), default=None
            Labels.
        groups : array-like of shape (n_samples,) or (n_samples, n_columns)
            What is held out: the values of `columns`.

        Yields
        ------
        train, test : ndarray of int
            Rows.

        Raises
        ------
        EvaluationError
            If groups are missing, of another length, or too few to hold one out.
        """
        for fold in self.split_named(_num_samples(X), y, groups):
            yield fold.train, fold.test

    def split_named(
        self, n_samples: int, y: ArrayLike | None, groups: ArrayLike | None
    ) -> Iterator[Fold]:
        """Split as `split` does, and name the folds.

        Parameters
        ----------
        n_samples : int
            Number of utterances.
        y : array-like of shape (n_samples,)
            Labels.
        groups : array-like of shape (n_samples,) or (n_samples, n_columns)
            What is held out.

        Yields
        ------
        fold : Fold
            In the order of their names.

        Raises
        ------
        EvaluationError
            If groups are missing, of another length, or too few to hold one out.
        """
        table = self._check_groups(n_samples, groups)
        names = self._name_folds(y, table)
        for name in self._choose_folds(np.unique(names)):
            tested = names == name
            heard = ~tested & ~self._shares(tested, table)
            yield Fold(str(name), np.flatnonzero(heard), np.flatnonzero(tested))

    def get_n_splits(
        self,
        X: Any = None,  # noqa: ARG002 - scikit-learn's signature
        y: ArrayLike | None = None,
        groups: ArrayLike | None = None,
    ) -> int:
        """Count the folds.

        Parameters
        ----------
        X : object
            Ignored.
        y : array-like of shape (n_samples,), default=None
            Labels.
        groups : array-like of shape (n_samples,) or (n_samples, n_columns)
            What is held out.

        Returns
        -------
        n_splits : int
            Number of folds.
        """
        n_samples = 0 if groups is None else len(np.asarray(groups))
        return sum(1 for _ in self.split_named(n_samples, y, groups))

    def describe(self) -> dict[str, Any]:
        """Describe the protocol for the settings of an evaluation.

        Returns
        -------
        description : dict
            Name, sentence, what is unseen, parameters, and the caveat if there is one.
        """
        return {
            "name": self.name,
            "sentence": self.sentence,
            "unseen": list(self.unseen),
            "parameters": dict(vars(self)),
            **({"caveat": self.caveat} if self.caveat else {}),
        }

    def _name_folds(self, y: ArrayLike | None, groups: NDArray) -> NDArray[np.str_]:  # noqa: ARG002 - shared signature
        """Name the fold that each utterance is tested in: by default, its group."""
        return groups[:, 0]

    def _choose_folds(self, names: NDArray[np.str_]) -> NDArray[np.str_]:
        """Choose which of the folds are run: by default, all."""
        return names

    def _shares(self, tested: NDArray[np.bool_], groups: NDArray) -> NDArray[np.bool_]:  # noqa: ARG002 - shared signature
        """Tell what is neither tested nor heard, because it shares something with the test."""
        return np.zeros(len(tested), dtype=bool)

    def _check_groups(self, n_samples: int, groups: ArrayLike | None) -> NDArray[np.str_]:
        what = " and ".join(self.columns)
        if groups is None:
            raise EvaluationError(
                f"The protocol {self.name} needs 'groups': the {what} of each utterance."
            )
        table = np.asarray(groups, dtype=object)  # text would make a name of NaN
        table = table[:, np.newaxis] if table.ndim == 1 else table
        if table.shape != (n_samples, len(self.columns)):
            raise EvaluationError(
                f"The 'groups' of {self.name} must have shape ({n_samples}, {len(self.columns)}): "
                f"the {what} of each utterance. Got {table.shape}."
            )
        if n_missing := int(pd.isna(table).any(axis=1).sum()):
            raise EvaluationError(
                f"The 'groups' of {self.name} must say the {what} of every utterance. Got "
                f"{n_missing} without."
            )
        table = table.astype(np.str_)
        for column, values in zip(self.columns, table.T, strict=True):
            if len(distinct := np.unique(values)) < 2:
                raise EvaluationError(
                    f"The protocol {self.name} needs at least two different values of "
                    f"'{column}'. The corpus has {len(distinct)}: {some(distinct)}."
                )
        return table


class LeaveOneSpeakerOut(Protocol):
    """Each speaker is held out once.

    References
    ----------
    B. Schuller et al., "Cross-corpus acoustic emotion recognition: variances and strategies",
    IEEE Transactions on Affective Computing, 2010.
    """

    name = "leave-one-speaker-out"
    sentence = "the speaker: each is predicted by a model that was trained on all the others"


class LeaveOneSessionOut(Protocol):
    """Each session is held out once, and with it the speakers who meet in it."""

    name = "leave-one-session-out"
    sentence = (
        "the session and its speakers: each session is predicted by a model that was trained on "
        "all the others"
    )
    columns = ("session",)
    unseen = ("session", "speaker")


class SpeakerGroups(Protocol):
    """Each of k groups of speakers is held out once: fewer trainings than speakers.

    Parameters
    ----------
    n_splits : int or None, default=None
        Number of groups; None makes five, or as many as there are speakers. Each gets
        about as many utterances.
    """

    name = "speaker-groups"
    sentence = (
        "the speaker: each group of speakers is predicted by a model that was trained on the "
        "other groups"
    )

    def __init__(self, *, n_splits: int | None = None):
        self.n_splits = n_splits

    def _name_folds(self, y: ArrayLike | None, groups: NDArray) -> NDArray[np.str_]:  # noqa: ARG002 - shared signature
        return group_evenly(groups[:, 0], "speaker", self.n_splits, "n_splits")


class SpeakerAndText(Protocol):
    """Neither the speaker nor the text has been heard before.

    Each fold tests one group of speakers on one group of texts and is trained on what other
    speakers say of the other texts. What shares a speaker or a text with the test is left out.

    Parameters
    ----------
    n_speaker_groups, n_text_groups : int or None, default=None
        Number of groups of speakers and of texts; None makes five, or as many as there are.
    """

    name = "speaker-and-text"
    sentence = (
        "the speaker and the text: each utterance is predicted by a model that was trained on "
        "other speakers who say other texts"
    )
    columns = ("speaker", "text")
    unseen = ("speaker", "text")

    def __init__(self, *, n_speaker_groups: int | None = None, n_text_groups: int | None = None):
        self.n_speaker_groups = n_speaker_groups
        self.n_text_groups = n_text_groups

    def _name_folds(self, y: ArrayLike | None, groups: NDArray) -> NDArray[np.str_]:  # noqa: ARG002 - shared signature
        speakers, texts = groups.T
        names = (
            group_evenly(speakers, "speaker", self.n_speaker_groups, "n_speaker_groups"),
            group_evenly(texts, "text", self.n_text_groups, "n_text_groups"),
        )
        return np.array([", ".join(pair) for pair in zip(*names, strict=True)], dtype=np.str_)

    def _shares(self, tested: NDArray[np.bool_], groups: NDArray) -> NDArray[np.bool_]:
        return np.any([np.isin(column, column[tested]) for column in groups.T], axis=0)


class CorpusToCorpus(Protocol):
    """Each corpus is predicted by a model that was trained on the others.

    `skser.datasets.merge_corpora` joins corpora and maps their labels onto common ones.

    Parameters
    ----------
    test : str or None, default=None
        Name of the only corpus to test on; None tests on each in turn.
    """

    name = "corpus-to-corpus"
    sentence = (
        "the corpus and its speakers: a corpus is predicted by a model that was trained on the "
        "others"
    )
    columns = ("corpus",)
    unseen = ("corpus", "speaker")

    def __init__(self, *, test: str | None = None):
        self.test = test

    def _choose_folds(self, names: NDArray[np.str_]) -> NDArray[np.str_]:
        if self.test is None:
            return names
        if self.test not in names:
            raise EvaluationError(
                f"The 'test' parameter of {type(self).__name__} must be one of the corpora "
                f"{', '.join(names)}. Got {self.test!r} instead."
            )
        return names[names == self.test]


class Published(Protocol):
    """The procedure of the published LIGHT-SERNET code as a whole; it knows the test fold.

    Speakers' names are permuted among the utterances of each class and the folds made by those
    names, so that speakers stand on both sides; `evaluate` then takes in each fold the last of
    the epochs with the best accuracy on the test fold. It measures how much that flatters, and
    says nothing of unseen speakers.

    Parameters
    ----------
    random_state : int, default=0
        Seed of the permutation, which stays the same for all `seeds` of `evaluate`.

    References
    ----------
    The code that A. Aftab et al., "LIGHT-SERNET", ICASSP 2022, names:
    `cleaning_directory_filename` permutes the names, `BestModelWeights` chooses the epoch.
    """

    name = "published"
    sentence = (
        f"nothing; it {CAVEAT}: speakers' names are permuted within each class, and the epoch is "
        "the one with the best accuracy on the test fold"
    )
    unseen = ()
    caveat = CAVEAT

    def __init__(self, *, random_state: int = 0):
        self.random_state = random_state

    def _name_folds(self, y: ArrayLike | None, groups: NDArray) -> NDArray[np.str_]:
        if y is None:
            raise EvaluationError(f"The protocol {self.name} needs y, the class of each utterance.")
        if not isinstance(self.random_state, Integral) or self.random_state < 0:
            raise EvaluationError(  # anything else would give other folds at each call
                f"The 'random_state' parameter of {type(self).__name__} must be an int of at "
                f"least 0. Got {self.random_state!r} instead."
            )
        generator = np.random.default_rng(self.random_state)
        names, labels = groups[:, 0].copy(), np.asarray(y)
        for label in np.unique(labels):
            rows = np.flatnonzero(labels == label)
            names[rows] = names[generator.permutation(rows)]
        return np.array([f"name {name}" for name in names], dtype=np.str_)


PROTOCOLS = MappingProxyType(
    {
        protocol.name: protocol
        for protocol in (
            LeaveOneSpeakerOut,
            LeaveOneSessionOut,
            SpeakerGroups,
            SpeakerAndText,
            CorpusToCorpus,
            Published,
        )
    }
)
"""The protocols by name."""


def get_protocol(protocol: str | Protocol) -> Protocol:
    """Return a protocol by its name.

    Parameters
    ----------
    protocol : str or Protocol
        One of the names in `PROTOCOLS`, or a protocol, which is returned.

    Returns
    -------
    protocol : Protocol
        With its default parameters if it was named.

    Raises
    ------
    ValueError
        If there is no such protocol.
    """
    if isinstance(protocol, Protocol):
        return protocol
    if not isinstance(protocol, str) or protocol not in PROTOCOLS:
        raise EvaluationError(
            f"The 'protocol' parameter of evaluate must be one of {', '.join(PROTOCOLS)}, or a "
            f"protocol of skser.protocols. Got {protocol!r} instead."
        )
    return PROTOCOLS[protocol]()
