"""What training may do to MFCCs to hear more speakers and rooms than it has."""

from numbers import Integral, Real
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.utils._param_validation import Interval
from sklearn.utils.validation import check_is_fitted

from ._moments import mean_and_scale
from ._vocal_tract import vocal_tract_warps


class Augmentation(BaseEstimator):
    """Random changes of MFCCs, drawn anew for every batch of a training.

    Nearly all of them are linear in the cepstrum, as long as it was not clipped
    (`MFCCTransformer(clip=None)`): a vocal tract of another length is one matrix a frame, another
    level or microphone a vector that is added to every frame, another tempo an interpolation
    between frames. Nothing is kept but a batch. A change whose parameter is 0 is left out.

    Parameters
    ----------
    n_frames : int or None, default=None
        Length of the random section that is taken of each utterance; None takes the length of
        the shortest one of a batch. Where an utterance ends too early, its first and last frame
        are held.
    tempo : float, default=0.0
        Largest change of tempo: 0.15 goes from 1/1.15 to 1.15 times as fast. By default none:
        emotions differ in tempo.
    vocal_tract : float, default=0.12
        Largest change of the vocal tract's length: with 0.12 frequencies are multiplied by
        1/1.12 to 1.12.
    channel : float, default=0.25
        Standard deviation of what is added to a coefficient in all frames (level, microphone,
        room, voice), as a share of the standard deviation of that coefficient in the training data.
    mask_frames, mask_coefficients : int, default=20 and 6
        Largest number of neighbouring frames, and of neighbouring coefficients, that are
        replaced by the mean of the training data.
    mixup : float, default=0.3
        Parameter of the Beta distribution of the weights with which two utterances, and their
        targets, are added up.
    fmin, fmax : float, default=40.0 and 7600.0
        Edges of the lowest and the highest mel band of the MFCCs, in Hz; the same as those of
        `MFCCTransformer`.

    Attributes
    ----------
    mean_, scale_ : ndarray of shape (n_mfcc,)
        Mean and standard deviation of each coefficient over the frames seen in `fit`.

    See Also
    --------
    LightSERNetClassifier : Takes it as `augment`.

    References
    ----------
    N. Jaitly, G. E. Hinton, "Vocal Tract Length Perturbation (VTLP) improves speech recognition",
    ICML Workshop on Deep Learning for Audio, Speech and Language, 2013.

    D. S. Park et al., "SpecAugment: A simple data augmentation method for automatic speech
    recognition", Interspeech 2019.

    H. Zhang et al., "mixup: Beyond empirical risk minimization", ICLR 2018.

    Examples
    --------
    >>> import numpy as np
    >>> from skser.augment import Augmentation
    >>> mfcc = np.random.default_rng(0).normal(size=(8, 184, 40)).astype(np.float32)
    >>> augmentation = Augmentation(n_frames=122).fit(mfcc)
    >>> targets = np.eye(8, dtype=np.float32)
    >>> drawn, _ = augmentation.draw(mfcc, targets, generator=np.random.default_rng(0))
    >>> drawn.shape
    (8, 122, 40)
    """

    mean_: NDArray[np.float32]
    scale_: NDArray[np.float32]

    _parameter_constraints: ClassVar[dict] = {
        "n_frames": [Interval(Integral, 1, None, closed="left"), None],
        "tempo": [Interval(Real, 0, 1, closed="left")],
        "vocal_tract": [Interval(Real, 0, 0.5, closed="left")],
        "channel": [Interval(Real, 0, None, closed="left")],
        "mask_frames": [Interval(Integral, 0, None, closed="left")],
        "mask_coefficients": [Interval(Integral, 0, None, closed="left")],
        "mixup": [Interval(Real, 0, None, closed="left")],
        "fmin": [Interval(Real, 0, None, closed="left")],
        "fmax": [Interval(Real, 0, None, closed="neither")],
    }

    def __init__(
        self,
        *,
        n_frames: int | None = None,
        tempo: float = 0.0,
        vocal_tract: float = 0.12,
        channel: float = 0.25,
        mask_frames: int = 20,
        mask_coefficients: int = 6,
        mixup: float = 0.3,
        fmin: float = 40.0,
        fmax: float = 7600.0,
    ):
        self.n_frames = n_frames
        self.tempo = tempo
        self.vocal_tract = vocal_tract
        self.channel = channel
        self.mask_frames = mask_frames
        self.mask_coefficients = mask_coefficients
        self.mixup = mixup
        self.fmin = fmin
        self.fmax = fmax

    def fit(self, X: Any, y: Any = None) -> Self:  # noqa: ARG002 - scikit-learn's signature
        """Check the parameters, and learn the mean and the scale of each coefficient.

        Parameters
        ----------
        X : ndarray of shape (n_samples, n_frames, n_mfcc) or list of (n_frames_i, n_mfcc) arrays
            MFCCs of the training utterances.
        y : None
            Ignored.

        Returns
        -------
        self : Augmentation
            The augmentation itself.

        Raises
        ------
        ValueError
            If a parameter is out of range.
        """
        self._check_parameters()
        self.mean_, self.scale_ = mean_and_scale(X)
        return self

    def _check_parameters(self) -> None:
        self._validate_params()
        if not self.fmin < self.fmax:
            raise ValueError(
                "The 'fmin' parameter of Augmentation must lie below fmax. Got "
                f"{self.fmin!r} and {self.fmax!r} instead."
            )

    def draw(
        self,
        X: Any,
        targets: NDArray[np.float32],
        *,
        generator: np.random.Generator,
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Change the utterances of a batch at random.

        Parameters
        ----------
        X : ndarray of shape (n_samples, n_frames, n_mfcc) or list of (n_frames_i, n_mfcc) arrays
            MFCCs.
        targets : ndarray of shape (n_samples, n_classes), dtype float32
            How much each utterance belongs to each class.
        generator : numpy.random.Generator
            Draws the changes; in the same state it draws the same ones.

        Returns
        -------
        mfcc : ndarray of shape (n_samples, n_frames, n_mfcc), dtype float32
            Changed MFCCs.
        targets : ndarray of shape (n_samples, n_classes), dtype float32
            The targets, mixed as the MFCCs are.

        Raises
        ------
        NotFittedError
            If `fit` was not called.
        """
        check_is_fitted(self)
        mfcc = self._draw_sections(X, generator)
        n, _, n_mfcc = mfcc.shape
        if self.vocal_tract:
            warps = vocal_tract_warps(self.vocal_tract, n_mfcc, self.fmin, self.fmax)
            mfcc = mfcc @ warps[generator.integers(len(warps), size=n)]
        if self.channel:
            added = generator.normal(0, self.channel, size=(n, 1, n_mfcc)) * self.scale_
            mfcc += added.astype(np.float32)
        self._mask(mfcc, generator)
        if self.mixup:
            return _mix(mfcc, targets, self.mixup, generator)
        return mfcc, targets

    def _draw_sections(self, X: Any, generator: np.random.Generator) -> NDArray[np.float32]:
        """Return a section of each utterance at a tempo of its own, all of the same length."""
        n_frames = self.n_frames or min(len(mfcc) for mfcc in X)
        steps = np.exp(generator.uniform(-1, 1, len(X)) * np.log1p(self.tempo))
        places = generator.uniform(size=len(X))
        return np.stack(
            [
                _section(mfcc, n_frames, step, place)
                for mfcc, step, place in zip(X, steps, places, strict=True)
            ]
        )

    def _mask(self, mfcc: NDArray[np.float32], generator: np.random.Generator) -> None:
        """Replace neighbouring frames, and neighbouring coefficients, by their mean."""
        n, n_frames, n_mfcc = mfcc.shape
        frames = _draw_spans(n, n_frames, self.mask_frames, generator)
        coefficients = _draw_spans(n, n_mfcc, self.mask_coefficients, generator)
        masked = frames[:, :, np.newaxis] | coefficients[:, np.newaxis, :]
        np.copyto(mfcc, self.mean_, where=masked)


def _section(
    mfcc: NDArray[np.float32], n_frames: int, step: float, place: float
) -> NDArray[np.float32]:
    """Interpolate frames that are `step` apart, from a place (0 to 1) of all possible ones on."""
    room = len(mfcc) - 1 - (n_frames - 1) * step
    start = place * room if room >= 0 else room / 2
    positions = np.clip(start + np.arange(n_frames) * step, 0, len(mfcc) - 1)
    before = positions.astype(np.intp)
    share = (positions - before).astype(np.float32)[:, np.newaxis]
    after = np.minimum(before + 1, len(mfcc) - 1)
    return mfcc[before] * (1 - share) + mfcc[after] * share


def _draw_spans(
    n: int, length: int, longest: int, generator: np.random.Generator
) -> NDArray[np.bool_]:
    """Draw one span of up to `longest` places of `length` for each of n rows."""
    widths = generator.integers(min(longest, length) + 1, size=n)
    starts = generator.integers(length - widths + 1)
    places = np.arange(length)
    return (places >= starts[:, np.newaxis]) & (places < (starts + widths)[:, np.newaxis])


def _mix(
    mfcc: NDArray[np.float32],
    targets: NDArray[np.float32],
    alpha: float,
    generator: np.random.Generator,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Add another utterance to each one with the smaller weight, and its targets likewise."""
    weights = generator.beta(alpha, alpha, size=len(mfcc)).astype(np.float32)
    weights = np.maximum(weights, 1 - weights)[:, np.newaxis]
    others = generator.permutation(len(mfcc))
    mixed = targets * weights + targets[others] * (1 - weights)
    weights = weights[:, :, np.newaxis]
    return mfcc * weights + mfcc[others] * (1 - weights), mixed
