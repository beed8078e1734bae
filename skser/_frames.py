"""From a prepared waveform to the mel bands of its frames, in blocks that fit a cache."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import fft

# A block holds 3 s of the defaults; a long recording takes no more memory than that.
_BLOCK = 192
# More products are more calls, fewer are more multiplications by zero.
_N_GROUPS = 8


class _Group(NamedTuple):
    bands: slice
    bins: slice
    weights: NDArray[np.float32]


class MelBands(NamedTuple):
    """A mel matrix as the few dense blocks that hold all of its weights."""

    n_bands: int
    groups: list[_Group]


def split_bands(matrix: NDArray[np.float32]) -> MelBands:
    """Cut a mel matrix, nine tenths of which are zero, into dense blocks of neighbouring bands.

    Parameters
    ----------
    matrix : ndarray of shape (n_bins, n_mels)
        Weights of the spectrum's bins in each band.

    Returns
    -------
    bands : MelBands
        Its blocks.
    """
    groups = []
    for columns in np.array_split(np.arange(matrix.shape[1]), min(_N_GROUPS, matrix.shape[1])):
        bands = slice(int(columns[0]), int(columns[-1]) + 1)
        bins = _extent(matrix[:, bands].max(axis=1))
        weights = np.ascontiguousarray(matrix[bins, bands])
        groups.append(_Group(bands, bins, weights))
    return MelBands(matrix.shape[1], groups)


def mel_spectra(
    waveform: NDArray[np.float32],
    *,
    window: NDArray[np.float32],
    hop_length: int,
    n_fft: int,
    bands: MelBands,
) -> NDArray[np.float32]:
    """Compute the mel bands of the magnitude spectra of all frames of a waveform.

    Parameters
    ----------
    waveform : ndarray of shape (n_timestamps,)
        At least one frame.
    window : ndarray of shape (frame_length,)
        What each frame is multiplied by.
    hop_length, n_fft : int
        Samples between frames, and length of the Fourier transform.
    bands : MelBands
        The bands.

    Returns
    -------
    mel : ndarray of shape (n_frames, n_mels)
        Zero for frames of zeros, such as those of the padding, which are not computed.
    """
    frames = np.lib.stride_tricks.sliding_window_view(waveform, len(window))[::hop_length]
    mel = np.zeros((len(frames), bands.n_bands), dtype=np.float32)
    sounding = _extent(waveform)
    first = max(0, -(-(sounding.start - len(window) + 1) // hop_length))
    stop = min(len(frames), -(-sounding.stop // hop_length))
    for start in range(first, stop, _BLOCK):
        rows = slice(start, min(start + _BLOCK, stop))
        magnitudes = np.abs(fft.rfft(frames[rows] * window, n=n_fft, axis=-1))
        for group in bands.groups:
            np.matmul(magnitudes[:, group.bins], group.weights, out=mel[rows, group.bands])
    return mel


def _extent(values: NDArray[np.float32]) -> slice:
    """Return the slice from the first to the last value that is not zero; empty if all are."""
    mask = (values != 0).tobytes()  # searched from either end faster than an array
    return slice(max(mask.find(b"\x01"), 0), mask.rfind(b"\x01") + 1)
