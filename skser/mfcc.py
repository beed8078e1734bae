"""MFCCTransformer: recordings or waveforms in, mel-frequency cepstral coefficients out."""

import os
from collections.abc import Sequence
from functools import lru_cache, partial
from numbers import Integral, Real
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from scipy import fft, signal
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils._param_validation import Interval, StrOptions

from ._blas import one_blas_thread
from ._feature_store import FeatureStore
from ._frames import MelBands, mel_spectra, split_bands
from ._stored_features import StoredFeatures
from ._utterances import Steps, compute_each, compute_utterance, take_utterances, warn_of
from .audio import LEVELS, prepare_waveform

_NUMBERS = 1  # raised when the same samples give other MFCCs: those in caches are then left alone


class MFCCTransformer(TransformerMixin, BaseEstimator):
    """Mel-frequency cepstral coefficients (MFCCs) as LIGHT-SERNET hears them.

    Each utterance is read, cut to `duration` around its middle, levelled and zero-padded; then
    come magnitude spectra of overlapping frames, HTK mel bands, a logarithm, and a DCT-II. Rows
    are independent of each other: an utterance alone gives what it gives in a batch.

    Parameters
    ----------
    sample_rate : int, default=16000
        Sample rate in Hz. Recordings are resampled to it; waveforms must have it.
    duration : float or None, default=3.0
        Length of every utterance, in s: longer ones are cut, shorter ones zero-padded. None keeps
        each utterance's own length; `transform` then returns a list of arrays.
    n_mfcc : int, default=40
        Number of coefficients kept, at most `n_mels`.
    n_mels : int, default=128
        Number of mel bands.
    n_fft : int, default=1024
        Length of the Fourier transform, in samples, at least `frame_length`.
    frame_length : int, default=1024
        Length of a frame, in samples.
    hop_length : int, default=256
        Samples from the start of a frame to the start of the next.
    fmin : float, default=40.0
        Lower edge of the lowest mel band, in Hz.
    fmax : float, default=7600.0
        Upper edge of the highest mel band, in Hz, at most half of `sample_rate`.
    window : str or tuple, default="hamming"
        Window that each frame is multiplied by, as `scipy.signal.get_window` names it.
    log_offset : float, default=1e-6
        Added to the mel bands before the logarithm, so that silence stays finite.
    clip : float or None, default=10.0
        Coefficients are clipped to [-clip, clip]; None keeps them as they are.
    level : {"percentile", "peak"} or None, default="percentile"
        How the cut waveform is levelled: by the 99.9th percentile of its absolute samples, as the
        published code does, by its peak, as the paper says, or not at all.
    n_jobs : int or None, default=None
        Number of threads that share the utterances; -1 takes all processors.
    cache : path-like or None, default=None
        A folder that keeps the MFCCs of each utterance, so that they are computed once for all
        folds, candidates and processes; made if it is missing. `skser.cache` tells of its hits
        and misses, sets its limit and clears it. None keeps nothing.
    memory_map : bool, default=False
        Whether `transform` returns an array that stays on disk, in the `cache`, and is read
        where it is used. It needs a `cache` and a `duration`.

    Attributes
    ----------
    n_features_in_ : int
        Number of samples a row, only after fitting on a 2-D array.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Column names, only after fitting on a DataFrame of waveforms.

    See Also
    --------
    make_light_sernet : The Pipeline of this transformer and the classifier.

    Notes
    -----
    The defaults are the paper's words where it has them (Hamming window, 40 to 7600 Hz) and the
    constants of its published code elsewhere. The transformer learns nothing: it can transform
    without being fitted, and `set_params` takes effect at the next `transform`.

    References
    ----------
    A. Aftab, A. Morsali, S. Ghaemmaghami, B. Champagne: "LIGHT-SERNET: A lightweight fully
    convolutional neural network for speech emotion recognition", ICASSP 2022, section 2.1.

    Examples
    --------
    >>> import numpy as np
    >>> from skser import MFCCTransformer
    >>> waveforms = [np.sin(np.arange(n) / 20) for n in (20_000, 60_000)]
    >>> MFCCTransformer().fit_transform(waveforms).shape
    (2, 184, 40)
    """

    _parameter_constraints: ClassVar[dict] = {
        "sample_rate": [Interval(Integral, 1, None, closed="left")],
        "duration": [Interval(Real, 0, None, closed="neither"), None],
        "n_mels": [Interval(Integral, 1, None, closed="left")],
        "n_fft": [Interval(Integral, 2, None, closed="left")],
        "hop_length": [Interval(Integral, 1, None, closed="left")],
        "window": [str, tuple],
        "log_offset": [Interval(Real, 0, None, closed="neither")],
        "clip": [Interval(Real, 0, None, closed="neither"), None],
        "level": [StrOptions(set(LEVELS)), None],
        "n_jobs": [Integral, None],
        "cache": [str, os.PathLike, None],
        "memory_map": ["boolean"],
    }

    def __init__(
        self,
        *,
        sample_rate: int = 16000,
        duration: float | None = 3.0,
        n_mfcc: int = 40,
        n_mels: int = 128,
        n_fft: int = 1024,
        frame_length: int = 1024,
        hop_length: int = 256,
        fmin: float = 40.0,
        fmax: float = 7600.0,
        window: str | tuple = "hamming",
        log_offset: float = 1e-6,
        clip: float | None = 10.0,
        level: str | None = "percentile",
        n_jobs: int | None = None,
        cache: str | os.PathLike | None = None,
        memory_map: bool = False,
    ):
        self.sample_rate = sample_rate
        self.duration = duration
        self.n_mfcc = n_mfcc
        self.n_mels = n_mels
        self.n_fft = n_fft
        self.frame_length = frame_length
        self.hop_length = hop_length
        self.fmin = fmin
        self.fmax = fmax
        self.window = window
        self.log_offset = log_offset
        self.clip = clip
        self.level = level
        self.n_jobs = n_jobs
        self.cache = cache
        self.memory_map = memory_map

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
        self : MFCCTransformer
            The transformer itself.

        Raises
        ------
        ValueError
            If a parameter is out of range, or `X` is none of the kinds that are taken.
        """
        self._check_parameters()
        take_utterances(self, X, sample_rate=self.sample_rate, reset=True)
        return self

    def transform(self, X: Any) -> NDArray[np.float32] | list[NDArray[np.float32]]:
        """Compute the MFCCs of each utterance.

        Parameters
        ----------
        X : list of paths, list of array-like, or array-like of shape (n_samples, n_timestamps)
            Paths of recordings, 1-D waveforms of any lengths at `sample_rate`, or a 2-D array
            of waveforms as wide as the one in `fit`.

        Returns
        -------
        mfcc : ndarray of shape (n_samples, n_frames, n_mfcc), dtype float32
            With `duration=None`, a list of n_samples arrays of shape (n_frames_i, n_mfcc). With
            `memory_map`, a read-only `numpy.memmap`.

        Raises
        ------
        AudioFileError
            If recordings cannot be used; the message names the first ten and the count.
        AudioError
            If waveforms cannot be used, likewise.
        CacheError
            If the folder of the cache is none, is of another version, or cannot be written to.
        ValueError
            If a parameter is out of range, or `X` is none of the kinds that are taken.

        Warns
        -----
        TruncatedAudioWarning
            If a WAV file holds fewer samples than its header promises.
        SilentAudioWarning
            If an utterance is silent where it was cut.
        """
        self._check_parameters()
        utterances, read = take_utterances(self, X, sample_rate=self.sample_rate, reset=False)
        # The products are small: threads of BLAS would wait for each other, and for the workers.
        with one_blas_thread():
            steps = Steps(read, self._prepare, self._mfcc)
            mfcc, notes = self._compute(utterances, steps)
        warn_of(notes)
        return mfcc

    def _compute(self, utterances: Sequence, steps: Steps) -> tuple[Any, list[Warning]]:
        """Return the MFCCs of all utterances and what is to be warned of."""
        shape = self._shape(len(utterances))
        if self.cache is None:
            mfcc, visit = _new_output(shape), partial(compute_utterance, steps=steps)
            return mfcc, compute_each(utterances, visit, mfcc, n_jobs=self.n_jobs)
        with FeatureStore(self.cache) as store:
            features = StoredFeatures(store, self._describe(), len(utterances), steps)
            if self.memory_map:
                return features.map_array(utterances, shape, self.n_jobs)
            mfcc = _new_output(shape)
            return mfcc, compute_each(utterances, features, mfcc, n_jobs=self.n_jobs)

    def _shape(self, n: int) -> tuple[int, ...]:
        """Return the shape of the MFCCs of n utterances; (n,) if each has its own length."""
        n_samples = self._n_samples()
        if n_samples is None:
            return (n,)
        return n, 1 + (n_samples - self.frame_length) // self.hop_length, self.n_mfcc

    def _describe(self) -> str:
        """Return what the MFCCs depend on beside the samples, equal for 3 and 3.0."""
        params = {
            name: float(value) if isinstance(value, Real) else value
            for name, value in self.get_params(deep=False).items()
            if name not in ("n_jobs", "cache", "memory_map")
        }
        kind = type(self)
        return f"{kind.__module__}.{kind.__qualname__} {_NUMBERS} {sorted(params.items())}"

    def _prepare(self, waveform: NDArray[np.float32]) -> NDArray[np.float32]:
        return prepare_waveform(
            waveform,
            n_samples=self._n_samples(),
            min_samples=self.frame_length,
            level=self.level,
        )

    def _mfcc(self, prepared: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the MFCCs of one waveform, of shape (n_frames, n_mfcc)."""
        mel = mel_spectra(
            prepared,
            window=_window(self.window, self.frame_length),
            hop_length=self.hop_length,
            n_fft=self.n_fft,
            bands=_mel_bands(self.sample_rate, self.n_fft, self.n_mels, self.fmin, self.fmax),
        )
        mel += np.float32(self.log_offset)
        mfcc = np.log(mel, out=mel) @ dct_matrix(self.n_mels, self.n_mfcc)
        if self.clip is None:
            return mfcc
        limit = np.float32(self.clip)  # an np.float64 would widen the result
        return np.clip(mfcc, -limit, limit, out=mfcc)

    def _n_samples(self) -> int | None:
        return None if self.duration is None else round(self.duration * self.sample_rate)

    def _check_parameters(self) -> None:
        self._validate_params()
        self._check_range("n_mfcc", 1, self.n_mels, Integral)
        self._check_range("frame_length", 1, self.n_fft, Integral)
        self._check_range("fmax", 0, self.sample_rate / 2, Real)
        self._check_range("fmin", 0, self.fmax, Real)
        if self.fmin == self.fmax:
            raise ValueError(
                f"The 'fmin' parameter of {type(self).__name__} must lie below fmax. Got "
                f"{self.fmin!r} for both instead."
            )
        n_samples = self._n_samples()
        if n_samples is not None and n_samples < self.frame_length:
            shortest = self.frame_length / self.sample_rate
            raise ValueError(
                f"The 'duration' parameter of {type(self).__name__} must be at least one frame "
                f"({shortest:g} s). Got {self.duration!r} instead."
            )
        if self.memory_map and (self.cache is None or n_samples is None):
            missing = "cache" if self.cache is None else "duration"
            raise ValueError(
                f"With memory_map=True the {missing!r} parameter of {type(self).__name__} must not "
                "be None."
            )
        try:
            _window(self.window, self.frame_length)
        except (ValueError, TypeError) as error:
            raise ValueError(
                f"The 'window' parameter of {type(self).__name__} must be a window that "
                f"scipy.signal.get_window knows. Got {self.window!r} instead."
            ) from error

    def _check_range(self, name: str, low: float, high: float, kind: type) -> None:
        """Check a parameter whose range depends on another one."""
        value: Any = getattr(self, name)
        right_kind = isinstance(value, kind) and not isinstance(value, bool)
        if not right_kind or not low <= float(value) <= high:
            noun = "an int" if kind is Integral else "a float"
            raise ValueError(
                f"The {name!r} parameter of {type(self).__name__} must be {noun} in the range "
                f"[{low:g}, {high:g}]. Got {value!r} instead."
            )

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        tags.input_tags.string = True
        tags.transformer_tags.preserves_dtype = []  # always float32
        return tags


def _new_output(shape: tuple[int, ...]) -> list | NDArray[np.float32]:
    return [None] * shape[0] if len(shape) == 1 else np.empty(shape, dtype=np.float32)


@lru_cache(maxsize=16)
def _window(window: str | tuple, frame_length: int) -> NDArray[np.float32]:
    return signal.get_window(window, frame_length).astype(np.float32)


@lru_cache(maxsize=16)
def mel_matrix(
    sample_rate: int, n_fft: int, n_mels: int, fmin: float, fmax: float
) -> NDArray[np.float32]:
    """Return the HTK mel bands without area normalisation.

    Parameters
    ----------
    sample_rate : int
        Sample rate in Hz.
    n_fft : int
        Length of the Fourier transform, in samples.
    n_mels : int
        Number of mel bands.
    fmin, fmax : float
        Edges of the lowest and the highest band, in Hz.

    Returns
    -------
    matrix : ndarray of shape (n_fft // 2 + 1, n_mels), dtype float32
        Weights of the spectrum's bins in each band.
    """
    import librosa

    matrix = librosa.filters.mel(
        sr=sample_rate, n_fft=n_fft, n_mels=n_mels, fmin=fmin, fmax=fmax, htk=True, norm=None
    )
    return _read_only(matrix.T)


@lru_cache(maxsize=16)
def _mel_bands(sample_rate: int, n_fft: int, n_mels: int, fmin: float, fmax: float) -> MelBands:
    return split_bands(mel_matrix(sample_rate, n_fft, n_mels, fmin, fmax))


@lru_cache(maxsize=16)
def dct_matrix(n_mels: int, n_mfcc: int) -> NDArray[np.float32]:
    """Return the DCT-II that turns log mel bands into MFCCs, scaled by 1 / sqrt(2 n_mels).

    Parameters
    ----------
    n_mels : int
        Number of mel bands.
    n_mfcc : int
        Number of coefficients.

    Returns
    -------
    matrix : ndarray of shape (n_mels, n_mfcc), dtype float32
        One column a coefficient.
    """
    matrix = fft.dct(np.eye(n_mels), type=2, axis=1)[:, :n_mfcc] / np.sqrt(2 * n_mels)
    return _read_only(matrix)


def _read_only(matrix: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return a matrix for the cache, which all later calls share."""
    shared = np.ascontiguousarray(matrix, dtype=np.float32)
    shared.flags.writeable = False
    return shared
