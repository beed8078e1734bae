"""A vocal tract of another length, as a matrix that the frames of cepstra are multiplied by."""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

_N_WARPS = 33  # factors, of which that in the middle is 1
_N_MELS = 128  # points of the mel axis that a warp is computed on
_LINEAR_SHARE = 0.85  # of the spectrum is warped linearly, the rest leads to its unmoved end


@lru_cache(maxsize=16)
def vocal_tract_warps(
    vocal_tract: float, n_mfcc: int, fmin: float, fmax: float
) -> NDArray[np.float32]:
    """Return the matrices that warp the spectrum behind a cepstrum.

    Each is an inverse cosine transform to a spectrum over the mel axis that is read at warped
    frequencies, and the cosine transform back.

    Parameters
    ----------
    vocal_tract : float
        Largest change of the length: frequencies are multiplied by 1/(1 + `vocal_tract`) to
        1 + `vocal_tract`.
    n_mfcc : int
        Number of coefficients.
    fmin, fmax : float
        Edges of the lowest and the highest mel band, in Hz.

    Returns
    -------
    warps : ndarray of shape (33, n_mfcc, n_mfcc), dtype float32
        In the order of their factors, in equal ratios; that in the middle changes nothing. The
        frames (rows) of an utterance are multiplied by one of them from the right.
    """
    from librosa import hz_to_mel, mel_to_hz

    factors = np.exp(np.linspace(-1, 1, _N_WARPS) * np.log1p(vocal_tract))
    n_mels = max(_N_MELS, n_mfcc)  # with fewer points than coefficients some would fall together
    places = (np.arange(n_mels) + 0.5) / n_mels
    orders = np.arange(n_mfcc)
    forward = np.cos(np.pi * np.outer(places, orders))
    lowest, highest = hz_to_mel(np.array([fmin, fmax]), htk=True)
    frequencies = mel_to_hz(lowest + places * (highest - lowest), htk=True)
    warps = np.empty((_N_WARPS, n_mfcc, n_mfcc), dtype=np.float32)
    for index, factor in enumerate(factors):
        warped = hz_to_mel(_warp(frequencies, factor, fmin, fmax), htk=True)
        warped = (warped - lowest) / (highest - lowest)
        inverse = np.cos(np.pi * np.outer(warped, orders)) * 2 / n_mels
        inverse[:, 0] /= 2
        warps[index] = inverse.T @ forward
    warps.flags.writeable = False  # the cache hands the same array to everyone
    return warps


def _warp(
    frequencies: NDArray[np.float64], factor: float, fmin: float, fmax: float
) -> NDArray[np.float64]:
    """Multiply frequencies by a factor, but for the highest ones: `fmax` stays where it is."""
    bend = _LINEAR_SHARE * fmax / max(factor, 1)
    above = fmax - (fmax - factor * bend) * (fmax - frequencies) / (fmax - bend)
    return np.clip(np.where(frequencies <= bend, factor * frequencies, above), fmin, fmax)
