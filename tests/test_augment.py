"""Each change of the MFCCs by itself, against what it must do to a signal that shows it."""

import numpy as np
import pytest
from scipy import fft
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from skser._moments import mean_and_scale
from skser.augment import Augmentation

NOTHING = {
    "n_frames": None,
    **dict.fromkeys(
        ("tempo", "vocal_tract", "channel", "mask_frames", "mask_coefficients", "mixup"), 0
    ),
}
N_MELS = 128


def draw(X, targets=None, *, seed=0, **params):
    augmentation = Augmentation(**{**NOTHING, **params}).fit(X)
    targets = np.eye(len(X), dtype=np.float32) if targets is None else targets
    return augmentation.draw(X, targets, generator=np.random.default_rng(seed))


@pytest.fixture(scope="module")
def mfcc():
    return np.random.default_rng(0).normal(3, 2, size=(16, 60, 12)).astype(np.float32)


def test_without_changes_nothing_changes(mfcc):
    drawn, targets = draw(mfcc)
    np.testing.assert_array_equal(drawn, mfcc)
    np.testing.assert_array_equal(targets, np.eye(16))


def test_equal_generators_draw_equal_changes(mfcc):
    params = Augmentation(n_frames=40, tempo=0.15).get_params()
    first, again, other = (draw(mfcc, seed=seed, **params) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first[0], again[0])
    np.testing.assert_array_equal(first[1], again[1])
    assert not np.allclose(first[0], other[0])
    assert first[0].dtype == first[1].dtype == np.float32
    assert first[0].shape == (16, 40, 12)


def test_does_not_change_its_input(mfcc):
    before = mfcc.copy()
    draw(mfcc, **Augmentation(tempo=0.15).get_params())
    np.testing.assert_array_equal(mfcc, before)


def ramps(*lengths):
    """Return utterances whose coefficients are the number of the frame."""
    return [np.repeat(np.arange(n, dtype=np.float32)[:, np.newaxis], 4, axis=1) for n in lengths]


def test_sections_lie_anywhere_in_the_utterance():
    drawn, _ = draw(ramps(*[100] * 200), n_frames=30)
    np.testing.assert_allclose(np.diff(drawn[:, :, 0], axis=1), 1, atol=1e-4)
    starts = drawn[:, 0, 0]
    assert starts.min() < 5
    assert 65 < starts.max() <= 70


def test_tempo_goes_both_ways_up_to_its_limit():
    drawn, _ = draw(ramps(*[200] * 300), n_frames=100, tempo=0.2)
    steps = np.diff(drawn[:, :, 0], axis=1)
    assert np.ptp(steps, axis=1).max() < 1e-3  # one tempo an utterance
    assert 1 / 1.2 - 1e-3 < steps.min() < 0.85
    assert 1.18 < steps.max() < 1.2 + 1e-3


@pytest.mark.parametrize("length", [1, 7, 49])
def test_holds_the_ends_of_a_shorter_utterance(length):
    drawn, _ = draw(ramps(length, 200), n_frames=50)
    assert drawn.shape == (2, 50, 4)
    start = (length - 50) / 2
    expected = np.clip(start + np.arange(50), 0, length - 1)
    np.testing.assert_allclose(drawn[0, :, 0], expected, atol=1e-4)


def test_whole_utterances_are_cut_to_the_shortest():
    drawn, _ = draw(ramps(20, 30, 25))
    assert drawn.shape == (3, 20, 4)


def cepstra_of_a_formant(frequency, n_mfcc=40):
    """Return the cepstrum of a spectrum with one peak at a frequency in Hz, many times."""
    peak = np.exp(-(((mel_axis() - hz_to_mel(frequency)) / 100) ** 2))
    cepstrum = fft.dct(peak, type=2)[:n_mfcc] / np.sqrt(2 * N_MELS)
    return np.tile(cepstrum.astype(np.float32), (400, 2, 1))


def hz_to_mel(frequency):
    return 2595 * np.log10(1 + frequency / 700)


def mel_axis():
    lowest, highest = hz_to_mel(40), hz_to_mel(7600)
    return lowest + (np.arange(N_MELS) + 0.5) / N_MELS * (highest - lowest)


@pytest.mark.parametrize("frequency", [500, 1500, 3000])
def test_vocal_tract_moves_formants_by_one_factor(frequency):
    drawn, _ = draw(cepstra_of_a_formant(frequency), vocal_tract=0.12)
    padded = np.zeros((len(drawn), N_MELS))
    padded[:, :40] = drawn[:, 0] * np.sqrt(2 * N_MELS)
    peaks = mel_axis()[fft.idct(padded, type=2).argmax(axis=1)]
    factors = 700 * (10 ** (peaks / 2595) - 1) / frequency
    assert factors.min() == pytest.approx(1 / 1.12, abs=0.03)
    assert factors.max() == pytest.approx(1.12, abs=0.03)


def test_channel_adds_a_constant_of_the_right_size():
    generator = np.random.default_rng(0)
    X = generator.normal(size=(500, 20, 3)) * np.array([1.0, 5.0, 20.0])
    X = X.astype(np.float32)
    added = draw(X, channel=0.5)[0] - X
    assert np.ptp(added, axis=1).max() < 1e-4
    np.testing.assert_allclose(added[:, 0].std(axis=0), [0.5, 2.5, 10], rtol=0.15)


def test_masks_hold_the_mean_of_neighbours(mfcc):
    mean, _ = mean_and_scale(mfcc)
    drawn, _ = draw(mfcc, mask_frames=10, mask_coefficients=3)
    changed = drawn != mfcc
    np.testing.assert_allclose(drawn[changed], np.broadcast_to(mean, drawn.shape)[changed])
    frames, coefficients = changed.all(axis=2).sum(axis=1), changed.all(axis=1).sum(axis=1)
    assert frames.max() == 10
    assert coefficients.max() == 3
    assert changed.any()


def test_mixup_adds_utterances_and_targets_alike():
    X = np.broadcast_to(np.eye(30, dtype=np.float32)[:, np.newaxis], (30, 4, 30)).copy()
    drawn, targets = draw(X, mixup=0.5)
    np.testing.assert_allclose(drawn[:, 0], targets, atol=1e-6)
    np.testing.assert_allclose(targets.sum(axis=1), 1, rtol=1e-6)
    assert (targets.diagonal() >= 0.5).all()  # its own part is the larger one
    assert ((targets > 0.01) & (targets < 0.5)).any()


def test_scale_of_a_constant_coefficient_is_one():
    X = [np.full((5, 2), 4.0, np.float32), np.full((3, 2), 4.0, np.float32)]
    X[1][:, 1] = 0
    mean, scale = mean_and_scale(X)
    np.testing.assert_allclose(mean, [4, 2.5])
    np.testing.assert_allclose(scale, [1, np.sqrt(15) / 2])


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *[("n_frames", 0), ("tempo", -0.1), ("tempo", 1.0), ("vocal_tract", 0.7), ("channel", -1)],
        *[("mask_frames", 1.5), ("mask_coefficients", -1), ("mixup", -0.2), ("fmax", 0)],
    ],
)
def test_refuses_what_is_out_of_range(mfcc, name, value):
    with pytest.raises(ValueError, match=f"The '{name}' parameter of Augmentation must be"):
        Augmentation(**{name: value}).fit(mfcc)


def test_refuses_an_empty_mel_axis(mfcc):
    with pytest.raises(ValueError, match=r"'fmin' parameter of Augmentation must lie below fmax"):
        Augmentation(fmin=8000.0).fit(mfcc)


def test_needs_fit(mfcc):
    with pytest.raises(NotFittedError):
        Augmentation().draw(mfcc, np.eye(16), generator=np.random.default_rng(0))


def test_clones(mfcc):
    augmentation = Augmentation(mixup=0.1).fit(mfcc)
    assert clone(augmentation).get_params() == augmentation.get_params()
    assert not hasattr(clone(augmentation), "mean_")
