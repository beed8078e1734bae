"""Mel bands of frames: dense blocks of the matrix, blocks of frames, and skipped silence."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skser import MFCCTransformer
from skser._frames import mel_spectra, split_bands
from skser.mfcc import mel_matrix

MATRIX = mel_matrix(1000, 64, 20, 20.0, 480.0)
WINDOW = np.hanning(60).astype(np.float32)


def plain_mel_spectra(waveform, hop_length):
    rows = []
    for start in range(0, len(waveform) - 60 + 1, hop_length):
        spectrum = np.fft.rfft(waveform[start : start + 60].astype(np.float64) * WINDOW, 64)
        rows.append(np.abs(spectrum) @ MATRIX)
    return np.array(rows)


def compute(waveform, hop_length, matrix=MATRIX):
    return mel_spectra(
        waveform, window=WINDOW, hop_length=hop_length, n_fft=64, bands=split_bands(matrix)
    )


@given(
    zeros=st.tuples(st.integers(0, 200), st.integers(0, 200)),
    length=st.integers(0, 300),
    hop_length=st.integers(1, 90),
)
def test_zeros_around_the_sound_are_skipped_and_change_nothing(zeros, length, hop_length):
    sound = np.random.default_rng(length).normal(size=length).astype(np.float32)
    waveform = np.pad(sound, zeros)
    waveform = np.pad(waveform, (0, max(0, 60 - len(waveform))))
    mel = compute(waveform, hop_length)
    expected = plain_mel_spectra(waveform, hop_length)
    assert mel.dtype == np.float32
    np.testing.assert_allclose(mel, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("n_mels", [1, 3, 8, 9, 128])
def test_dense_blocks_hold_all_of_the_matrix(n_mels):
    matrix = mel_matrix(16000, 1024, n_mels, 40.0, 7600.0)
    bands = split_bands(matrix)
    whole = np.zeros_like(matrix)
    for group in bands.groups:
        whole[group.bins, group.bands] = group.weights
    np.testing.assert_array_equal(whole, matrix)


def test_bands_between_two_bins_are_empty():
    matrix = np.zeros((33, 9), dtype=np.float32)
    matrix[5, 4] = 1
    mel = compute(np.ones(100, dtype=np.float32), 10, matrix)
    assert mel[:, 4].all()
    assert not np.delete(mel, 4, axis=1).any()


def peak_memory(transformer, waveform):
    tracemalloc.start()
    transformer.transform([waveform])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


def test_memory_of_a_long_recording_is_about_its_samples():
    transformer = MFCCTransformer(duration=None)
    noise = np.random.default_rng(0).normal(size=16000 * 240).astype(np.float32)
    transformer.transform([noise[:16000]])
    short, long = (peak_memory(transformer, noise[: 16000 * s]) for s in (60, 240))
    # all frames at once would take four times the samples, their spectra as much again
    assert long - short < 4 * 16000 * 180 * 4


def test_rows_of_a_long_recording_do_not_depend_on_its_blocks():
    noise = np.random.default_rng(0).normal(size=16000 * 8).astype(np.float32)
    transformer = MFCCTransformer(duration=None, level=None)
    (whole,) = transformer.transform([noise])
    (end,) = transformer.transform([noise[256 * 100 :]])
    np.testing.assert_allclose(whole[100:], end, atol=1e-4)
