"""What labels and weights the classifier takes, and the check of them."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import assert_all_finite, compute_sample_weight
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import _check_sample_weight, check_consistent_length, column_or_1d

from .training import MFCCs

if TYPE_CHECKING:
    from .classifier import LightSERNetClassifier


def check_labels(
    estimator: "LightSERNetClassifier", X: MFCCs, y: ArrayLike, *, go_on: bool
) -> NDArray[np.int64]:
    """Set the estimator's `classes_`, or compare with them, and return the labels as indices."""
    if y is None:
        raise ValueError(
            f"{type(estimator).__name__} requires y to be passed, but the target y is None."
        )
    y = column_or_1d(y, warn=True)
    assert_all_finite(y, input_name="y")
    check_classification_targets(y)
    check_consistent_length(X, y)
    classes, labels = np.unique(y, return_inverse=True)
    if go_on:
        if new := sorted({*classes.tolist()} - {*estimator.classes_.tolist()}):
            raise ValueError(
                f"With warm_start=True the classes must be those of the first fit. Got the "
                f"new ones {new}; use a new classifier."
            )
        return np.searchsorted(estimator.classes_, y)
    if len(classes) < 2:
        raise ValueError(
            f"{type(estimator).__name__} needs at least two classes. Got 1 class: '{classes[0]}'."
        )
    estimator.classes_ = classes
    return labels


def make_targets(
    labels: NDArray[np.int64], n_classes: int, *, smoothing: float
) -> NDArray[np.float32]:
    """Return how much each utterance belongs to each class, `smoothing` of it evenly to all."""
    targets = np.full((len(labels), n_classes), smoothing / n_classes, dtype=np.float32)
    targets[np.arange(len(labels)), labels] += 1 - smoothing
    return targets


def combine_weights(
    estimator: "LightSERNetClassifier", sample_weight: ArrayLike | None, X: MFCCs, y: ArrayLike
) -> NDArray[np.float32]:
    """Return the product of sample weights and class weights, as a new array."""
    weight = _check_sample_weight(
        sample_weight, X, dtype=np.float32, copy=True, ensure_non_negative=True
    )
    if estimator.class_weight is not None:
        by_class = compute_sample_weight(estimator.class_weight, y)
        if not (np.isfinite(by_class) & (by_class >= 0)).all():
            raise ValueError(
                f"The 'class_weight' parameter of {type(estimator).__name__} must hold finite "
                f"weights of at least 0. Got {estimator.class_weight!r} instead."
            )
        weight *= by_class
    return weight
