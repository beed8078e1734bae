"""Warps of the vocal tract: what they do to a spectrum."""

import numpy as np
import pytest

from skser._vocal_tract import vocal_tract_warps


@pytest.mark.parametrize("n_mfcc", [13, 40, 64, 128, 129])
def test_the_middle_one_changes_nothing(n_mfcc):
    warps = vocal_tract_warps(0.12, n_mfcc, 40.0, 7600.0)
    assert warps.shape == (33, n_mfcc, n_mfcc)
    np.testing.assert_allclose(warps[16], np.eye(n_mfcc), atol=1e-5)


def test_first_and_last_undo_each_other_on_a_smooth_spectrum():
    cepstra = np.exp(-np.arange(40) / 2) * np.random.default_rng(0).normal(size=(5, 40))
    warps = vocal_tract_warps(0.12, 40, 40.0, 7600.0)
    moved = cepstra @ warps[0]
    left = np.abs(moved @ warps[-1] - cepstra).max()
    assert left < 0.1 * np.abs(moved - cepstra).max()


def test_level_stays():
    flat = np.eye(1, 40)
    warped = flat @ vocal_tract_warps(0.3, 40, 40.0, 7600.0)
    np.testing.assert_allclose(warped, np.broadcast_to(flat, warped.shape), atol=1e-5)
