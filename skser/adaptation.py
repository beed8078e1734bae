"""SpeakerStandardizer: features relative to what is usual for the person who speaks."""

import warnings
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_consistent_length, check_is_fitted

from ._mfcc_input import check_mfcc
from ._moments import mean_and_scale
from .exceptions import UnknownSpeakersWarning
from .training import MFCCs


class SpeakerStandardizer(TransformerMixin, BaseEstimator):
    """Standardise each feature by what it is in all utterances of the same speaker.

    It needs no labels, but it needs several utterances of a speaker before it can say anything of
    one of them: `transform` takes all that it is given for one speaker. A score reached in this
    way is one of adaptation, and not of an unheard speaker; `evaluate` runs it under the protocol
    `SpeakerAdaptation` alone.

    Parameters
    ----------
    with_std : bool, default=True
        Whether to divide by the standard deviation as well. Without, what is linear in the
        features stays so, such as the changes that `Augmentation` makes.

    Attributes
    ----------
    n_features_in_ : int
        Number of features, or of coefficients a frame.

    See Also
    --------
    skser.protocols.SpeakerAdaptation : The protocol of such models.

    Examples
    --------
    >>> import numpy as np
    >>> from skser.adaptation import SpeakerStandardizer
    >>> X = np.array([[1.0], [3.0], [10.0], [30.0]])
    >>> SpeakerStandardizer().fit_transform(X, groups=["a", "a", "b", "b"]).ravel().tolist()
    [-1.0, 1.0, -1.0, 1.0]
    """

    n_features_in_: int

    # The speakers reach fit in a Pipeline whether metadata routing is enabled or not.
    __metadata_request__fit: ClassVar[dict] = {"groups": True}

    _parameter_constraints: ClassVar[dict] = {"with_std": ["boolean"]}

    def __init__(self, *, with_std: bool = True):
        self.with_std = with_std

    def fit(self, X: Any, y: Any = None, groups: ArrayLike | None = None) -> Self:  # noqa: ARG002 - scikit-learn's signature
        """Check the input; nothing is learnt of its speakers that serves another one.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features) or MFCCs as `LightSERNetClassifier` takes
            Features.
        y : None
            Ignored.
        groups : array-like of shape (n_samples,), default=None
            Speakers.

        Returns
        -------
        self : SpeakerStandardizer
            The transformer itself.

        Raises
        ------
        ValueError
            If the features are not finite, `groups` has another length, or some are missing.

        Warns
        -----
        UnknownSpeakersWarning
            If the speakers are not given.
        """
        self._check(X, groups)
        return self

    def _check(self, X: Any, groups: ArrayLike | None) -> MFCCs:
        """Check the parameters, the features and the speakers, and return the features."""
        self._validate_params()
        checked = check_mfcc(self, X, reset=True)
        check_consistent_length(checked, groups)
        if groups is None:
            warnings.warn(
                "SpeakerStandardizer was not told the speakers and takes all utterances as one "
                "speaker's; pass groups= to fit (in a Pipeline without metadata routing "
                "the name of the step and __groups=).",
                UnknownSpeakersWarning,
                stacklevel=3,  # who called fit or fit_transform
            )
        elif n_missing := int(pd.isna(np.asarray(groups, dtype=object)).sum()):
            raise ValueError(
                "SpeakerStandardizer needs the speaker of every utterance. Got "
                f"{n_missing} 'groups' that are missing."
            )
        return checked

    def transform(self, X: Any) -> MFCCs:
        """Standardise the utterances of one speaker.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features) or MFCCs as `LightSERNetClassifier` takes
            Features, all of the same speaker.

        Returns
        -------
        standardized : ndarray or list of ndarray
            Of the shape of `X`, dtype float32.

        Raises
        ------
        NotFittedError
            If `fit` was not called.
        ValueError
            If the features are not finite, or their number is not that of `fit`.
        """
        check_is_fitted(self)
        return _like(X, self._standardize(check_mfcc(self, X, reset=False)))

    def fit_transform(self, X: Any, y: Any = None, groups: ArrayLike | None = None) -> MFCCs:  # noqa: ARG002 - scikit-learn's signature
        """Standardise the utterances of each speaker.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features) or MFCCs as `LightSERNetClassifier` takes
            Features.
        y : None
            Ignored.
        groups : array-like of shape (n_samples,), default=None
            Speakers; None if all utterances are of one.

        Returns
        -------
        standardized : ndarray or list of ndarray
            Of the shape of `X`, dtype float32.

        Raises
        ------
        ValueError
            If the features are not finite, or `groups` has another length.
        """
        checked = self._check(X, groups)
        if groups is None:
            return _like(X, self._standardize(checked))
        speakers = np.asarray(groups)
        standardized: list[NDArray] = [np.empty(0)] * len(checked)
        for speaker in np.unique(speakers):
            rows = np.flatnonzero(speakers == speaker)
            own = self._standardize([checked[row] for row in rows])
            for row, utterance in zip(rows, own, strict=True):
                standardized[row] = utterance
        return _like(X, standardized if isinstance(checked, list) else np.stack(standardized))

    def _standardize(self, X: MFCCs) -> MFCCs:
        mean, scale = mean_and_scale(X)
        if not self.with_std:
            scale = np.ones_like(scale)
        if isinstance(X, list):
            return [(utterance - mean) / scale for utterance in X]
        return (X - mean) / scale

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        tags.transformer_tags.preserves_dtype = []  # always float32
        return tags


def _like(X: Any, standardized: MFCCs) -> MFCCs:
    """Make rows of a table rows again: they were taken as utterances of one frame."""
    if isinstance(standardized, list) or getattr(X, "ndim", None) == 3:
        return standardized
    return standardized[:, 0]
