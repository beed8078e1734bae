"""Who is held out: the protocols."""

from numbers import Integral
from types import MappingProxyType

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ._even_groups import group_evenly
from ._protocol import Protocol
from .exceptions import EvaluationError

CAVEAT = "knows the test fold"


class LeaveOneSpeakerOut(Protocol):
    """Each speaker is held out once.

    References
    ----------
    B. Schuller et al., "Cross-corpus acoustic emotion recognition: variances and strategies",
    IEEE Transactions on Affective Computing, 2010.
    """

    name = "leave-one-speaker-out"
    sentence = "the speaker: each is predicted by a model that was trained on all the others"


class SpeakerAdaptation(Protocol):
    """Each speaker is held out once, and the model adapted to the voice without labels.

    The model adapts to all utterances of the speaker, those to be predicted included: by
    `SpeakerStandardizer` or `LightSERNetClassifier(speaker_adaptation=True)`. It is a score of
    speakers who have already been recorded for a while, and not of an unheard one.

    References
    ----------
    B. Schuller et al., "Cross-corpus acoustic emotion recognition: variances and strategies",
    IEEE Transactions on Affective Computing, 2010 (speaker normalisation).
    """

    name = "speaker-adaptation"
    sentence = (
        "the speaker's emotions, but not the voice: the model was trained on all the others, and "
        "adapts to all of the speaker's utterances, without labels"
    )
    adapts = True


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
            SpeakerAdaptation,
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
