"""Which epoch's weights are kept: the last one's, or those that do best on speakers set aside."""

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.model_selection import GroupShuffleSplit

from .metrics import score_predictions
from .training import MFCCs, predict

if TYPE_CHECKING:
    import keras

Judge = Callable[["keras.Model"], float]
"""Called after every epoch with the network; returns how good it is."""

SpeakerPredictor = Callable[["keras.Model", MFCCs], NDArray[np.float32]]
"""From a network and the MFCCs of one speaker to their probabilities."""

_MAX_DRAWS = 100


class BestEpoch:
    """Keeps the weights of the epoch that a judge likes best; of several, the last one's.

    Parameters
    ----------
    network : keras.Model
        The network that is trained.
    judge : callable
        From the network to a figure; more is better.
    patience : int or None, default=None
        Number of epochs without a better or equal figure after which training may stop; None
        never stops it.
    """

    def __init__(self, network: "keras.Model", judge: Judge, *, patience: int | None = None):
        self.epoch = 0
        self._network = network
        self._judge = judge
        self._patience = patience
        self._best = -np.inf
        self._weights: list[NDArray] = []

    def __call__(self, epoch: int, logs: dict[str, float]) -> bool:
        """Judge an epoch.

        Parameters
        ----------
        epoch : int
            Number of finished epochs.
        logs : dict of str to float
            What the epoch gave; gets the figure as "selection_score".

        Returns
        -------
        stop : bool
            Whether to stop training.
        """
        score = logs["selection_score"] = self._judge(self._network)
        if score >= self._best:
            self._best, self.epoch, self._weights = score, epoch, self._network.get_weights()
        return self._patience is not None and epoch - self.epoch >= self._patience

    def restore(self) -> None:
        """Give the network the weights that were kept."""
        self._network.set_weights(self._weights)


def hold_out_speakers(
    labels: NDArray[np.int64], groups: ArrayLike | None, *, fraction: float, seed: int
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Set speakers of the training data aside, for choosing the epoch.

    Parameters
    ----------
    labels : ndarray of int of shape (n_samples,)
        Labels.
    groups : array-like of shape (n_samples,) or None
        Speakers.
    fraction : float
        Share of the speakers that is set aside.
    seed : int
        Seed of the draw.

    Returns
    -------
    train, aside : ndarray of int
        Rows; all classes occur in `train`.

    Raises
    ------
    ValueError
        If speakers are missing, of another length, or too few.
    """
    if groups is None:
        raise ValueError(
            "The epoch_selection 'inner' sets speakers aside inside fit, so fit needs them: pass "
            "groups= (in a Pipeline without metadata routing classifier__groups=, in "
            "cross_validate params={'classifier__groups': ...}), or take "
            "epoch_selection='last'."
        )
    speakers = np.asarray(groups)
    if speakers.shape != labels.shape:
        raise ValueError(
            "The epoch_selection 'inner' needs 'groups' of shape "
            f"({len(labels)},): the speaker of each utterance. Got {speakers.shape}."
        )
    if n_missing := int(pd.isna(np.asarray(groups, dtype=object)).sum()):
        raise ValueError(
            "The epoch_selection 'inner' needs the speaker of every utterance. Got "
            f"{n_missing} without."
        )
    if (n_speakers := len(np.unique(speakers))) < 2:
        raise ValueError(
            "The epoch_selection 'inner' needs at least two speakers in the training data. Got "
            f"{n_speakers}; take more speakers, or epoch_selection='last'."
        )
    n_aside = min(n_speakers - 1, max(1, round(fraction * n_speakers)))
    draws = GroupShuffleSplit(_MAX_DRAWS, test_size=n_aside, random_state=seed)
    for train, aside in draws.split(labels, groups=speakers):
        if len(np.unique(labels[train])) == len(np.unique(labels)):
            return train, aside
    raise ValueError(
        f"The epoch_selection 'inner' cannot set {n_aside} of {n_speakers} speakers aside so that "
        "the others still have every class; lower 'validation_fraction', or take "
        "epoch_selection='last'."
    )


def set_aside(
    X: MFCCs,
    labels: NDArray[np.int64],
    groups: ArrayLike | None,
    *,
    fraction: float,
    seed: int,
    batch_size: int,
    predict_speaker: SpeakerPredictor | None,
) -> tuple[NDArray[np.intp], Judge]:
    """Set speakers aside, and let them judge.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_frames, n_mfcc) or list of (n_frames_i, n_mfcc) arrays
        MFCCs.
    labels : ndarray of int of shape (n_samples,)
        Labels.
    groups : array-like of shape (n_samples,) or None
        Speakers.
    fraction : float
        Share of the speakers that is set aside.
    seed : int
        Seed of the draw.
    batch_size : int
        Number of utterances at a time in prediction.
    predict_speaker : callable or None
        From a network and one speaker's utterances to their probabilities; None predicts the
        utterances of all speakers together.

    Returns
    -------
    rows : ndarray of int
        What is left for training.
    judge : callable
        From a network to its UAR on the speakers set aside.

    Raises
    ------
    ValueError
        If speakers are missing, of another length, or too few.
    """
    rows, aside = hold_out_speakers(labels, groups, fraction=fraction, seed=seed)
    if predict_speaker:
        speakers = np.asarray(groups)[aside]
        predict_aside = partial(_predict_each_speaker, predict_speaker, X, aside, speakers)
    else:
        predict_aside = partial(predict, X=X, batch_size=batch_size, rows=aside)
    return rows, judge_by_uar(predict_aside, labels[aside])


def _predict_each_speaker(
    predict_speaker: SpeakerPredictor,
    X: MFCCs,
    rows: NDArray[np.intp],
    speakers: NDArray,
    network: "keras.Model",
) -> NDArray[np.float32]:
    """Predict some utterances speaker by speaker."""
    probabilities = np.empty((len(rows), network.output_shape[-1]), dtype=np.float32)
    for speaker in np.unique(speakers):
        own = speakers == speaker
        probabilities[own] = predict_speaker(network, [X[row] for row in rows[own]])  # no copy
    return probabilities


def judge_by_uar(
    predict: Callable[["keras.Model"], NDArray[np.float32]], labels: NDArray[np.int64]
) -> Judge:
    """Return a judge that computes the unweighted average recall.

    Parameters
    ----------
    predict : callable
        From the network to probabilities of shape (n_samples, n_classes).
    labels : ndarray of int of shape (n_samples,)
        What is right.

    Returns
    -------
    judge : callable
        From the network to its UAR.
    """
    return lambda network: score_predictions(labels, predict(network).argmax(axis=1))["uar"]
