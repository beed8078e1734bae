"""The field's scores, their confidence intervals, and scikit-learn's names for them."""

import warnings
from numbers import Integral, Real
from types import MappingProxyType

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.metrics import confusion_matrix
from sklearn.utils._param_validation import Interval, validate_params
from sklearn.utils.validation import check_consistent_length

SCORING = {
    "uar": "balanced_accuracy",
    "wa": "accuracy",
    "f1_macro": "f1_macro",
    "f1_weighted": "f1_weighted",
}
"""The scores of speech emotion recognition as `scoring=` of `cross_validate` takes them.

They are scikit-learn's own scorers, so `uar` warns if a class is predicted for a speaker who lacks
it; the score is right. `score_predictions` and `evaluate` give the same numbers without a warning.
"""

SCORE_NAMES = MappingProxyType(
    {"uar": "UAR", "wa": "WA", "f1_macro": "F1 macro", "f1_weighted": "F1 weighted"}
)
"""How the scores are called in print."""

FEW_SPEAKERS = 5
"""From so few speakers a bootstrap over speakers gives intervals that are too narrow.

A convention: the same limit as for p, which of an exact sign test is 2 / 2**5, above 0.05, if all
of them agree.
"""


def score_predictions(y_true: ArrayLike, y_pred: ArrayLike) -> dict[str, float]:
    """Compute UAR, WA, macro F1 and weighted F1 of predictions.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        Labels.
    y_pred : array-like of shape (n_samples,)
        Predicted labels.

    Returns
    -------
    scores : dict of str to float
        `"uar"`: unweighted average recall, the mean recall over the classes present in `y_true`.
        `"wa"`: weighted accuracy, the share of utterances predicted right. `"f1_macro"`: the mean
        F1 over the classes present in `y_true` or `y_pred`; one that is only predicted counts as
        zero. `"f1_weighted"`: the mean F1 weighted by the classes' counts in `y_true`.

    Raises
    ------
    ValueError
        If the lengths differ or there are no labels.

    Notes
    -----
    Each equals scikit-learn's score of the name in `SCORING`. A speaker who lacks a class is no
    reason for a warning.

    References
    ----------
    A. Rosenberg, "Classifying skewed data: importance weighting to optimize average recall",
    Interspeech 2012.

    Examples
    --------
    >>> from skser.metrics import score_predictions
    >>> score_predictions(["anger", "anger", "fear"], ["anger", "fear", "fear"])["uar"]
    0.75
    """
    check_consistent_length(y_true, y_pred)
    scores = _scores(_confusion(y_true, y_pred))
    return {name: float(value) for name, value in scores.items()}


@validate_params(
    {
        "confidence": [Interval(Real, 0, 1, closed="neither")],
        "n_resamples": [Interval(Integral, 1, None, closed="left")],
    },
    prefer_skip_nested_validation=True,
)
def bootstrap_intervals(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    groups: ArrayLike,
    *,
    confidence: float = 0.95,
    n_resamples: int = 2000,
    random_state: int = 0,
) -> dict[str, tuple[float, float]]:
    """Compute confidence intervals of the scores by a bootstrap over speakers.

    Utterances of one speaker are alike, so whole speakers are drawn with replacement and the
    scores computed over all utterances that were drawn.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        Labels.
    y_pred : array-like of shape (n_samples,) or (n_samples, n_seeds)
        Predicted labels; of several runs, in columns, the mean of the scores is taken.
    groups : array-like of shape (n_samples,)
        Speakers.
    confidence : float, default=0.95
        Share of the resampled scores inside an interval.
    n_resamples : int, default=2000
        Number of times that speakers are drawn.
    random_state : int, default=0
        Seed of the draws.

    Returns
    -------
    intervals : dict of str to (float, float)
        Lower and upper end for each score of `score_predictions`; (nan, nan) if there is only
        one speaker, and too narrow if there are few (`FEW_SPEAKERS`).

    Raises
    ------
    ValueError
        If the lengths differ or there are no labels.

    References
    ----------
    B. Efron, R. Tibshirani, "An introduction to the bootstrap", 1993, section 13.3 (percentile
    intervals).
    """
    by_speaker = confusions_by_speaker(y_true, y_pred, groups)
    if len(by_speaker) < 2:
        return dict.fromkeys(SCORING, (float("nan"), float("nan")))
    resampled = resample_scores(by_speaker, n_resamples=n_resamples, random_state=random_state)
    return {name: percentile_interval(values, confidence) for name, values in resampled.items()}


def confusions_by_speaker(
    y_true: ArrayLike, y_pred: ArrayLike, groups: ArrayLike, labels: ArrayLike | None = None
) -> NDArray[np.float64]:
    """Count true by predicted labels of each speaker and run.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        Labels.
    y_pred : array-like of shape (n_samples,) or (n_samples, n_seeds)
        Predicted labels, of one run or several.
    groups : array-like of shape (n_samples,)
        Speakers.
    labels : array-like of shape (n_classes,), default=None
        All labels; those that occur if not given.

    Returns
    -------
    confusions : ndarray of shape (n_speakers, n_seeds, n_classes, n_classes)
        Counts, speakers and labels sorted.

    Raises
    ------
    ValueError
        If the lengths differ or there are no labels.
    """
    check_consistent_length(y_true, y_pred, groups)
    y_true, groups = np.asarray(y_true), np.asarray(groups)
    runs = np.asarray(y_pred)
    runs = runs[:, np.newaxis] if runs.ndim == 1 else runs
    for run in runs.T:
        _confusion(y_true, run)  # refuses what are no labels
    labels = np.union1d(y_true, runs) if labels is None else np.asarray(labels)
    return np.stack(
        [
            [_confusion(y_true[rows], run[rows], labels) for run in runs.T]
            for rows in (groups == speaker for speaker in np.unique(groups))
        ]
    )


def resample_scores(
    by_speaker: NDArray[np.float64], *, n_resamples: int = 2000, random_state: int = 0
) -> dict[str, NDArray[np.float64]]:
    """Draw speakers with replacement and compute the scores of each draw.

    Parameters
    ----------
    by_speaker : ndarray of shape (n_speakers, n_seeds, n_classes, n_classes)
        What `confusions_by_speaker` returned.
    n_resamples : int, default=2000
        Number of times that speakers are drawn.
    random_state : int, default=0
        Seed of the draws: equal seeds draw the same speakers, so that two models can be paired.

    Returns
    -------
    scores : dict of str to ndarray of shape (n_resamples,)
        The mean over the runs.
    """
    n_speakers = len(by_speaker)
    drawn = np.random.default_rng(random_state).multinomial(
        n_speakers, np.full(n_speakers, 1 / n_speakers), size=n_resamples
    )
    scores = _scores(np.tensordot(drawn, by_speaker, axes=1))
    return {name: values.mean(axis=-1) for name, values in scores.items()}


def percentile_interval(values: NDArray[np.float64], confidence: float) -> tuple[float, float]:
    """Return the ends between which a share of resampled values lies.

    Parameters
    ----------
    values : ndarray of shape (n_resamples,)
        Resampled values.
    confidence : float
        The share.

    Returns
    -------
    low, high : float
        The ends; half of what is left lies beyond each.
    """
    low, high = np.quantile(values, [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)


def _confusion(
    y_true: ArrayLike, y_pred: ArrayLike, labels: NDArray | None = None
) -> NDArray[np.float64]:
    """Count true by predicted labels; that there is only one label is no reason for a warning."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="A single label was found", category=UserWarning)
        return confusion_matrix(y_true, y_pred, labels=labels).astype(float)


def _scores(confusion: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
    """Return the scores of confusion matrices of shape (..., n_classes, n_classes)."""
    right = np.diagonal(confusion, axis1=-2, axis2=-1)
    true, predicted = confusion.sum(axis=-1), confusion.sum(axis=-2)
    total = true.sum(axis=-1)
    recall = np.divide(right, true, out=np.zeros_like(right), where=true > 0)
    either = true + predicted
    f1 = np.divide(2 * right, either, out=np.zeros_like(right), where=either > 0)
    return {
        "uar": recall.sum(axis=-1) / (true > 0).sum(axis=-1),
        "wa": right.sum(axis=-1) / total,
        "f1_macro": f1.sum(axis=-1) / (either > 0).sum(axis=-1),
        "f1_weighted": (f1 * true).sum(axis=-1) / total,
    }
