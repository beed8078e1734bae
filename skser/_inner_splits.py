"""The splits that parts of a model make inside the training data, and whether they mix speakers."""

import warnings
from collections.abc import Iterator
from copy import deepcopy
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, is_classifier
from sklearn.model_selection import check_cv

from ._parts import parts_of

_MAX_SPLITS = 100


def mixed_speakers(
    model: BaseEstimator, y: NDArray, groups: NDArray
) -> Iterator[tuple[BaseEstimator, NDArray]]:
    """Find the parts of a model, such as a search, whose inner splits mix speakers.

    Parameters
    ----------
    model : estimator
        The model.
    y : ndarray of shape (n_samples,)
        Labels of training data.
    groups : ndarray of shape (n_samples,)
        Speakers of training data.

    Yields
    ------
    part : estimator
        One that has `cv` and `estimator`.
    speakers : ndarray of shape (n_speakers,)
        Those who stand on both sides of one of its splits.
    """
    parts = {id(part): part for part in parts_of(model)}
    for part in parts.values():
        if hasattr(part, "cv") and hasattr(part, "estimator"):
            for train, test in _split(part, y, groups):
                shared = np.intersect1d(groups[train], groups[test])
                if len(shared):
                    yield part, shared
                    break


def _split(part: Any, y: NDArray, groups: NDArray) -> Iterator[tuple[NDArray, NDArray]]:
    """Split as a part will; what cannot be split fails there, with its own message."""
    X = np.zeros((len(y), 1))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            # A copy, since a splitter may hold a generator that each use moves on.
            splitter = check_cv(deepcopy(part.cv), y, classifier=is_classifier(part.estimator))
            splits = list(islice(splitter.split(X, y, groups), _MAX_SPLITS))
            n_samples = max(int(rows.max()) for split in splits for rows in split) + 1
        except (ValueError, TypeError):
            return
    if n_samples <= len(y):  # ready-made splits may be those of other data
        yield from splits
