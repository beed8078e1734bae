"""A stand-in for the network, so that folds take milliseconds, and noise for it to hear."""

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.linear_model import LogisticRegression
from sklearn.utils import Bunch

EMOTIONS = ("anger", "fear", "sadness")


def statistics(X):
    """How loud each waveform is and how fast it changes."""
    return np.array([[np.std(x), np.abs(np.diff(x)).mean()] for x in X])


class PowerCut(BaseException):
    """What ends a process: no error of a fold."""


class StandIn(ClassifierMixin, BaseEstimator):
    """A classifier of waveforms that is fitted at once."""

    def __init__(self, *, C=1.0, tool=None):
        self.C = C
        self.tool = tool

    def fit(self, X, y):
        self.model_ = LogisticRegression(C=self.C).fit(statistics(X), y)
        self.classes_ = self.model_.classes_
        return self

    def predict(self, X):
        return self.model_.predict(statistics(X))

    def predict_proba(self, X):
        return self.model_.predict_proba(statistics(X))


class Seeded(StandIn):
    """A stand-in whose seed decides which labels it is told wrong."""

    def __init__(self, *, C=1.0, random_state=None):
        super().__init__(C=C)
        self.random_state = random_state

    def fit(self, X, y):
        generator = np.random.RandomState(self.random_state)
        wrong, y = generator.choice(len(y), len(y) // 2, replace=False), np.array(y)
        y[wrong] = generator.permutation(y[wrong])
        return super().fit(X, y)


def make_corpus(*, speakers=("a", "b", "c", "d"), emotions=EMOTIONS, n_utterances=3):
    """Make noise whose level tells something of the emotion, in no order of speakers.

    Each speaker says each text once in each emotion. The first half of the speakers meets in one
    session and belongs to one corpus, the others to another. The table's index is foreign.
    """
    generator = np.random.default_rng(0)
    rows = [(s, e, t) for s in speakers for e in range(len(emotions)) for t in range(n_utterances)]
    rows = [rows[row] for row in generator.permutation(len(rows))]
    first = speakers[: len(speakers) // 2]
    frame = pd.DataFrame(
        {
            "label": [emotions[e] for _, e, _ in rows],
            "speaker": [s for s, _, _ in rows],
            "text": [f"text {t}" for _, _, t in rows],
            "session": [1 if s in first else 2 for s, _, _ in rows],
            "corpus": ["north" if s in first else "south" for s, _, _ in rows],
        },
        index=generator.permutation(len(rows)) + 5,
    )
    data = [generator.normal(scale=1 + e, size=generator.integers(10, 30)) for _, e, _ in rows]
    return Bunch(
        data=data,
        target=np.array([emotions[e] for _, e, _ in rows]),
        groups=np.array([s for s, _, _ in rows]),
        frame=frame,
        name="noise",
    )


def assert_same(one, other):
    """Compare evaluations in all but the time that they took."""
    pd.testing.assert_frame_equal(one.predictions, other.predictions, check_exact=True)
    untimed = [table.drop(columns="seconds") for table in (one.folds, other.folds)]
    pd.testing.assert_frame_equal(*untimed)
    assert one.settings == other.settings
