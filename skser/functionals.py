"""One vector an utterance: functionals of openSMILE, and statistics of MFCCs over time."""

import hashlib
import math
import sys
from functools import lru_cache, partial
from importlib.util import find_spec
from numbers import Integral
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted, validate_data

from ._feature_cache import FeatureCache
from ._utterances import Steps, compute_each, compute_utterance, take_utterances, warn_of
from .audio import prepare_waveform

if TYPE_CHECKING:
    from opensmile import Smile

_LONGEST_FRAME = 0.06  # s; of anything shorter, openSMILE gives NaN alone
_FULL_SCALE = np.float32(32767 / 32768)  # the highest sample of 16 bits

_CACHE = FeatureCache(max_bytes=512 * 2**20)


class FunctionalsTransformer(TransformerMixin, BaseEstimator):
    """Functionals of openSMILE: one vector of statistics an utterance.

    openSMILE follows loudness, pitch, voice quality and the spectrum from frame to frame and
    sums up each by its mean, spread, slopes and the like. Utterances are taken whole and as loud
    as they are. Rows are independent of each other: an utterance alone gives what it gives in a
    batch.

    Parameters
    ----------
    feature_set : {"ComParE_2016", "eGeMAPSv02"}, default="ComParE_2016"
        `"ComParE_2016"` has 6373 features, `"eGeMAPSv02"` 88 chosen by experts.
    sample_rate : int, default=16000
        Sample rate in Hz, 8000 to 192000. Recordings are resampled to it; waveforms must have it.
    n_jobs : int or None, default=None
        Number of threads that share the utterances; -1 takes all processors.

    Attributes
    ----------
    n_features_in_ : int
        Number of samples a row, only after fitting on a 2-D array.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Column names, only after fitting on a DataFrame of waveforms.

    See Also
    --------
    make_baseline : Pipelines of such features and a support vector machine.
    MFCCStatistics : Statistics of the features that LIGHT-SERNET hears.

    Notes
    -----
    Full scale is 1, and samples beyond it are clipped: openSMILE computes with 16 bits.
    Utterances shorter than its longest frame (60 ms) are padded with zeros.

    Extraction takes much longer than anything that is done with the vectors, and each fold of an
    evaluation asks for the same ones. So the process keeps the vectors that were used last, up
    to 512 MiB (21,000 utterances of ComParE), and finds them by the samples of an utterance,
    whatever its file is called. Parallel folds, in processes of their own, share nothing.

    The transformer learns nothing: it can transform without being fitted.

    References
    ----------
    F. Eyben, M. Wöllmer, B. Schuller: "openSMILE: the Munich versatile and fast open-source
    audio feature extractor", ACM Multimedia 2010.

    B. Schuller et al.: "The INTERSPEECH 2016 computational paralinguistics challenge: deception,
    sincerity & native language", Interspeech 2016 (ComParE).

    F. Eyben et al.: "The Geneva minimalistic acoustic parameter set (GeMAPS) for voice research
    and affective computing", IEEE Transactions on Affective Computing, 2016 (eGeMAPS).

    Examples
    --------
    >>> import numpy as np
    >>> from skser.functionals import FunctionalsTransformer
    >>> waveforms = [np.sin(np.arange(n) / 20) for n in (20_000, 60_000)]
    >>> FunctionalsTransformer(feature_set="eGeMAPSv02").fit_transform(waveforms).shape
    (2, 88)
    """

    _parameter_constraints: ClassVar[dict] = {
        "feature_set": [StrOptions({"ComParE_2016", "eGeMAPSv02"})],
        # openSMILE ends the process at very low rates
        "sample_rate": [Interval(Integral, 8000, 192_000, closed="both")],
        "n_jobs": [Integral, None],
    }

    def __init__(
        self,
        *,
        feature_set: str = "ComParE_2016",
        sample_rate: int = 16000,
        n_jobs: int | None = None,
    ):
        self.feature_set = feature_set
        self.sample_rate = sample_rate
        self.n_jobs = n_jobs

    def fit(self, X: Any, y: Any = None) -> Self:  # noqa: ARG002 - scikit-learn's signature
        """Check the parameters and the kind of input; nothing is learnt from it.

        Parameters
        ----------
        X : list of paths, list of array-like, or array-like of shape (n_samples, n_timestamps)
            Recordings or waveforms, as in `transform`.
        y : None
            Ignored.

        Returns
        -------
        self : FunctionalsTransformer
            The transformer itself.

        Raises
        ------
        ImportError
            If opensmile is not installed.
        ValueError
            If a parameter is out of range, or `X` is none of the kinds that are taken.
        """
        self._validate_params()
        _make_smile(self.feature_set)
        take_utterances(self, X, sample_rate=self.sample_rate, reset=True)
        return self

    def transform(self, X: Any) -> NDArray[np.float32]:
        """Compute the functionals of each utterance.

        Parameters
        ----------
        X : list of paths, list of array-like, or array-like of shape (n_samples, n_timestamps)
            Paths of recordings, 1-D waveforms of any lengths at `sample_rate`, or a 2-D array
            of waveforms as wide as the one in `fit`.

        Returns
        -------
        functionals : ndarray of shape (n_samples, n_features), dtype float32
            One row an utterance, columns as `get_feature_names_out` names them.

        Raises
        ------
        AudioFileError
            If recordings cannot be used; the message names the first ten and the count.
        AudioError
            If waveforms cannot be used, likewise.
        ImportError
            If opensmile is not installed.
        ValueError
            If a parameter is out of range, or `X` is none of the kinds that are taken.

        Warns
        -----
        TruncatedAudioWarning
            If a WAV file holds fewer samples than its header promises.
        SilentAudioWarning
            If an utterance is silent.
        """
        self._validate_params()
        _make_smile(self.feature_set)  # before the threads, which would each make one
        utterances, read = take_utterances(self, X, sample_rate=self.sample_rate, reset=False)
        steps = Steps(read, self._prepare, self._compute)
        visit = partial(compute_utterance, steps=steps)
        shape = len(utterances), len(_make_smile(self.feature_set).feature_names)
        functionals = np.empty(shape, dtype=np.float32)
        warn_of(compute_each(utterances, visit, functionals, n_jobs=self.n_jobs))
        return functionals

    def get_feature_names_out(
        self,
        input_features: ArrayLike | None = None,  # noqa: ARG002 - scikit-learn's signature
    ) -> NDArray[np.object_]:
        """Name the functionals as openSMILE does.

        Parameters
        ----------
        input_features : array-like of str or None, default=None
            Ignored.

        Returns
        -------
        names : ndarray of str of shape (n_features,)
            One an output column, such as `"F0final_sma_amean"`.
        """
        self._validate_params()
        return np.asarray(_make_smile(self.feature_set).feature_names, dtype=object)

    def _prepare(self, waveform: NDArray[np.float32]) -> NDArray[np.float32]:
        min_samples = math.ceil(_LONGEST_FRAME * self.sample_rate)
        waveform = prepare_waveform(waveform, n_samples=None, min_samples=min_samples, level=None)
        return np.clip(waveform, -1, _FULL_SCALE)  # beyond, openSMILE's 16 bits turn over

    def _compute(self, prepared: NDArray[np.float32]) -> NDArray[np.float32]:
        digest = hashlib.sha256(prepared.tobytes()).digest()
        return _CACHE.get(
            (self.feature_set, self.sample_rate, digest),
            lambda: _extract(self.feature_set, self.sample_rate, prepared),
        )

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        tags.input_tags.string = True
        tags.transformer_tags.preserves_dtype = []  # always float32
        return tags


class MFCCStatistics(TransformerMixin, BaseEstimator):
    """Mean and standard deviation over time of each MFCC: one vector an utterance.

    Attributes
    ----------
    n_features_in_ : int
        Number of coefficients a frame.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Column names, only after fitting on a DataFrame.

    See Also
    --------
    MFCCTransformer : Computes the MFCCs; `duration=None` leaves out the padding.
    make_baseline : The Pipeline of both and a support vector machine.

    Examples
    --------
    >>> import numpy as np
    >>> from skser import MFCCTransformer
    >>> from skser.functionals import MFCCStatistics
    >>> waveforms = [np.sin(np.arange(n) / 20) for n in (20_000, 60_000)]
    >>> mfcc = MFCCTransformer(duration=None).fit_transform(waveforms)
    >>> MFCCStatistics().fit_transform(mfcc).shape
    (2, 80)
    """

    def fit(self, X: Any, y: Any = None) -> Self:  # noqa: ARG002 - scikit-learn's signature
        """Learn the number of coefficients.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_frames, n_mfcc) or list of (n_frames_i, n_mfcc)
            MFCCs. Rows of a 2-D array are taken as utterances of one frame.
        y : None
            Ignored.

        Returns
        -------
        self : MFCCStatistics
            The transformer itself.

        Raises
        ------
        ValueError
            If the MFCCs are not finite, or differ in the number of coefficients.
        """
        self._check_mfcc(X, reset=True)
        return self

    def transform(self, X: Any) -> NDArray[np.float32]:
        """Compute the statistics of each utterance.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_frames, n_mfcc) or list of (n_frames_i, n_mfcc)
            MFCCs of any number of frames, with as many coefficients as in `fit`.

        Returns
        -------
        statistics : ndarray of shape (n_samples, 2 * n_mfcc), dtype float32
            The means, then the standard deviations.

        Raises
        ------
        NotFittedError
            If the transformer was not fitted.
        ValueError
            If the MFCCs are not finite, or differ in the number of coefficients.
        """
        check_is_fitted(self)
        utterances = self._check_mfcc(X, reset=False)
        vectors = [
            np.append(mfcc.mean(axis=0, dtype=np.float64), mfcc.std(axis=0, dtype=np.float64))
            for mfcc in utterances
        ]
        return np.array(vectors, dtype=np.float32)

    def get_feature_names_out(
        self,
        input_features: ArrayLike | None = None,  # noqa: ARG002 - scikit-learn's signature
    ) -> NDArray[np.object_]:
        """Name the statistics.

        Parameters
        ----------
        input_features : array-like of str or None, default=None
            Ignored.

        Returns
        -------
        names : ndarray of str of shape (2 * n_mfcc,)
            One an output column, such as `"mfcc0_mean"`.
        """
        check_is_fitted(self)
        names = [f"mfcc{n}_{name}" for name in ("mean", "std") for n in range(self.n_features_in_)]
        return np.asarray(names, dtype=object)

    def _check_mfcc(self, X: Any, *, reset: bool) -> list[NDArray[np.float32]]:
        """Return finite float32 MFCCs, one 2-D array an utterance."""
        by_utterance = getattr(X, "ndim", None) == 3 or (
            isinstance(X, list | tuple) and all(np.ndim(mfcc) == 2 for mfcc in X)
        )
        if by_utterance:
            if not len(X):
                raise ValueError(f"{type(self).__name__} needs at least one utterance. Got none.")
            return [
                validate_data(self, mfcc, reset=reset and row == 0, dtype=np.float32)
                for row, mfcc in enumerate(X)
            ]
        return list(validate_data(self, X, reset=reset, dtype=np.float32)[:, np.newaxis])

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        tags.transformer_tags.preserves_dtype = []  # always float32
        return tags


@lru_cache(maxsize=4)
def _make_smile(feature_set: str) -> "Smile":
    """Return openSMILE for a feature set; threads can share it."""
    loaded = sys.modules.keys()
    if "tensorflow" in loaded and "opensmile" not in loaded and find_spec("opensmile"):
        raise ImportError(
            "openSMILE crashes in a process that imported TensorFlow before it. Import opensmile "
            "first, or let skser import TensorFlow."
        )
    try:
        import opensmile
    except ImportError as error:
        raise ImportError(
            "FunctionalsTransformer needs opensmile. Install it with pip install "
            "'skser[baselines]'."
        ) from error
    return opensmile.Smile(
        feature_set=opensmile.FeatureSet[feature_set],
        feature_level=opensmile.FeatureLevel.Functionals,
    )


def _extract(
    feature_set: str, sample_rate: int, waveform: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Return the functionals of one waveform, of shape (n_features,)."""
    return _make_smile(feature_set)(waveform, sample_rate)[0, :, 0].astype(np.float32)
