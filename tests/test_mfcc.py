"""MFCCTransformer: what it takes, what it computes, what it refuses."""

import os
import pickle
import wave
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import threadpoolctl
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from joblib import parallel_config
from scipy import fft
from sklearn.base import clone
from sklearn.utils.estimator_checks import estimator_checks_generator, parametrize_with_checks

from skser import MFCCTransformer
from skser.audio import load_audio, prepare_waveform
from skser.exceptions import (
    AudioError,
    AudioFileError,
    SilentAudioWarning,
    TruncatedAudioWarning,
)
from skser.mfcc import mel_matrix

# Short frames of slow audio: what the data are is all the same to these tests.
TINY = {
    "sample_rate": 1000,
    "duration": 0.064,
    "n_mfcc": 4,
    "n_mels": 8,
    "n_fft": 64,
    "frame_length": 64,
    "hop_length": 32,
    "fmin": 0,
    "fmax": 500,
}


def tiny(**params):
    return MFCCTransformer(**(TINY | params))


# --- scikit-learn's common checks: none is expected to fail ----------------------------------


@parametrize_with_checks([tiny()])
def test_common_checks(estimator, check):
    check(estimator)


def test_the_common_checks_are_many():
    assert len(list(estimator_checks_generator(tiny()))) >= 40


# --- the numbers -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def recordings(emodb_root):
    """Twelve recordings of EMO-DB, shorter and longer than 3 s."""
    return sorted(map(str, (emodb_root / "wav").glob("*.wav")))[::45]


@pytest.fixture(scope="module")
def recordings_mfcc(recordings):
    return MFCCTransformer().transform(recordings)


def reference_mfcc(path, duration=3.0):
    """Compute the features of a 16-bit recording of 16 kHz anew, in float64."""
    with wave.open(path) as file:
        samples = np.frombuffer(file.readframes(file.getnframes()), "<i2") / 32768
    n_samples = int(duration * 16000)
    if len(samples) > n_samples:
        first = int(np.floor((len(samples) - n_samples) / 2))
        samples = samples[first : first + n_samples]
    samples = np.clip(samples / np.percentile(np.abs(samples), 99.9), -1, 1)
    padded = np.zeros(n_samples)
    first = int(np.floor((n_samples - len(samples)) / 2))
    padded[first : first + len(samples)] = samples
    hamming = 0.54 - 0.46 * np.cos(2 * np.pi * np.arange(1024) / 1024)
    mel = mel_matrix(16000, 1024, 128, 40.0, 7600.0).astype(np.float64)
    rows = []
    for first in range(0, n_samples - 1024 + 1, 256):
        magnitude = np.abs(np.fft.fft(hamming * padded[first : first + 1024])[:513])
        log_mel = np.log(magnitude @ mel + 1e-6)
        rows.append(fft.dct(log_mel, type=2)[:40] / np.sqrt(2 * 128))
    return np.clip(rows, -10, 10)


def test_a_batch_agrees_with_float64(recordings, recordings_mfcc):
    expected = np.stack([reference_mfcc(path) for path in recordings])
    np.testing.assert_allclose(recordings_mfcc, expected, rtol=0, atol=1e-3)


@pytest.mark.parametrize("duration", [1.0, 7.0])
def test_a_recording_alone_agrees_with_float64(recordings, duration):
    for path in recordings[:4]:
        (mfcc,) = MFCCTransformer(duration=duration).transform([path])
        np.testing.assert_allclose(mfcc, reference_mfcc(path, duration), rtol=0, atol=1e-3)


def test_it_agrees_with_tensorflow(recordings, recordings_mfcc):
    import tensorflow as tf

    waveforms = np.stack([prepare_waveform(load_audio(p), n_samples=48000) for p in recordings])
    spectra = tf.abs(tf.signal.stft(waveforms, 1024, 256, 1024, window_fn=tf.signal.hamming_window))
    mel = spectra @ tf.signal.linear_to_mel_weight_matrix(128, 513, 16000, 40.0, 7600.0)
    mfcc = tf.signal.mfccs_from_log_mel_spectrograms(tf.math.log(mel + 1e-6))[..., :40]
    expected = tf.clip_by_value(mfcc, -10, 10)
    np.testing.assert_allclose(recordings_mfcc, expected, rtol=0, atol=1e-2)


def test_rows_are_independent_of_each_other(recordings, recordings_mfcc):
    transformer = MFCCTransformer()
    for path, mfcc in zip(recordings, recordings_mfcc, strict=True):
        np.testing.assert_array_equal(transformer.transform([path]), mfcc[np.newaxis])
    np.testing.assert_array_equal(transformer.transform(recordings[::-1]), recordings_mfcc[::-1])


def test_a_quiet_row_does_not_hear_a_loud_one():
    quiet, loud = np.random.default_rng(0).normal(size=(2, 20_000)) * [[1e-6], [1e6]]
    for level in ("percentile", "peak", None):
        transformer = MFCCTransformer(duration=1.0, level=level)
        together = transformer.transform([quiet, loud])
        np.testing.assert_array_equal(together[0], transformer.transform([quiet])[0])
        np.testing.assert_array_equal(together[1], transformer.transform([loud])[0])


@pytest.mark.parametrize("n_jobs", [2, 3, -1])
def test_threads_change_nothing(recordings, recordings_mfcc, n_jobs):
    mfcc = MFCCTransformer(n_jobs=n_jobs).fit_transform(recordings)
    np.testing.assert_array_equal(mfcc, recordings_mfcc)


@pytest.mark.parametrize("n_jobs", [None, 2])
@pytest.mark.parametrize("backend", ["loky", "multiprocessing", "threading"])
def test_a_backend_for_what_is_around_it_changes_nothing(
    recordings, recordings_mfcc, backend, n_jobs
):
    with parallel_config(backend=backend, n_jobs=2):
        mfcc = MFCCTransformer(n_jobs=n_jobs).fit_transform(recordings)
    np.testing.assert_array_equal(mfcc, recordings_mfcc)


@pytest.mark.parametrize("level", ["percentile", "peak"])
def test_the_level_of_the_recording_does_not_matter(level):
    waveform = np.random.default_rng(0).normal(size=16000)
    transformer = MFCCTransformer(duration=1.0, level=level)
    loud, quiet = transformer.transform([waveform * 8, waveform / 1024])
    np.testing.assert_array_equal(loud, quiet)  # powers of two are exact


def test_without_level_only_the_first_coefficient_hears_the_loudness():
    waveform = np.random.default_rng(0).normal(size=16000)
    transformer = MFCCTransformer(duration=1.0, level=None, clip=None)
    loud, quiet = transformer.transform([waveform, waveform / 4])
    difference = loud - quiet
    # 128 bands lose log(4) each; the DCT-II is scaled by 2 / sqrt(2 * 128)
    np.testing.assert_allclose(difference[:, 0], 16 * np.log(4), rtol=1e-4)
    np.testing.assert_allclose(difference[:, 1:], 0, atol=1e-3)


def test_clip_bounds_the_coefficients():
    noise = [np.random.default_rng(0).normal(size=16000)]
    free = MFCCTransformer(duration=1.0, clip=None).fit_transform(noise)
    assert np.abs(free).max() > 10
    for clip in (10.0, 2, np.float64(0.5)):  # a NumPy scalar does not widen the result either
        clipped = MFCCTransformer(duration=1.0, clip=clip).fit_transform(noise)
        assert clipped.dtype == np.float32
        np.testing.assert_array_equal(clipped, np.clip(free, -np.float32(clip), np.float32(clip)))


def test_blas_keeps_its_threads():
    blas = threadpoolctl.ThreadpoolController().select(user_api="blas")
    before = [library["num_threads"] for library in blas.info()]
    tiny().transform([np.ones(100)])
    assert [library["num_threads"] for library in blas.info()] == before


# --- shapes and parameters -------------------------------------------------------------------


@pytest.mark.parametrize(("duration", "n_frames"), [(3.0, 184), (7.0, 434), (7, 434), (0.064, 1)])
def test_number_of_frames(duration, n_frames):
    waveforms = [np.ones(n) for n in (1, 1000, 48_000, 130_001)]
    mfcc = MFCCTransformer(duration=duration).fit_transform(waveforms)
    assert mfcc.shape == (4, n_frames, 40)
    assert mfcc.dtype == np.float32


def test_the_number_of_samples_is_rounded():
    # 0.29 s of 100 Hz are 28.999999999999996 samples in float64: one frame of 29
    transformer = tiny(sample_rate=100, duration=0.29, n_fft=32, frame_length=29, fmax=50)
    assert transformer.fit_transform([np.ones(29)]).shape == (1, 1, 4)


def test_without_a_duration_each_keeps_its_length():
    waveforms = [np.random.default_rng(0).normal(size=n) for n in (3, 1024, 1279, 1280, 48_000)]
    arrays = MFCCTransformer(duration=None).fit_transform(waveforms)
    assert isinstance(arrays, list)
    assert [array.shape for array in arrays] == [(1, 40), (1, 40), (1, 40), (2, 40), (184, 40)]
    assert {array.dtype for array in arrays} == {np.dtype(np.float32)}
    np.testing.assert_array_equal(arrays[-1], MFCCTransformer().fit_transform(waveforms)[-1])


def test_set_params_takes_effect_at_the_next_transform():
    waveforms = [np.random.default_rng(0).normal(size=130_000)]
    transformer = MFCCTransformer().fit(waveforms)
    assert transformer.transform(waveforms).shape == (1, 184, 40)
    mfcc = transformer.set_params(duration=7.0).transform(waveforms)
    assert mfcc.shape == (1, 434, 40)
    np.testing.assert_array_equal(mfcc, MFCCTransformer(duration=7.0).transform(waveforms))


@pytest.mark.parametrize("copy", [clone, lambda t: pickle.loads(pickle.dumps(t))])
def test_copies_compute_the_same(copy):
    waveforms = [np.random.default_rng(0).normal(size=100)]
    transformer = tiny(n_mfcc=5, window="hann", level="peak").fit(waveforms)
    copied = copy(transformer)
    assert copied.get_params() == transformer.get_params()
    np.testing.assert_array_equal(copied.transform(waveforms), transformer.transform(waveforms))


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"sample_rate": 0}, r"'sample_rate' parameter .* must be an int in the range \[1, inf\)"),
        ({"duration": 0}, r"'duration' parameter .* must be a float in the range \(0\.0, inf\)"),
        ({"duration": np.inf}, r"'duration' parameter .* Got inf instead"),
        ({"duration": 0.063}, r"'duration' .* must be at least one frame \(0\.064 s\)"),
        ({"n_mfcc": 0}, r"'n_mfcc' parameter .* must be an int in the range \[1, 8\]\. Got 0"),
        ({"n_mfcc": 9}, r"'n_mfcc' parameter .* must be an int in the range \[1, 8\]\. Got 9"),
        ({"n_mels": 2.5}, r"'n_mels' parameter .* must be an int"),
        ({"n_fft": 1}, r"'n_fft' parameter .* must be an int in the range \[2, inf\)"),
        ({"frame_length": 65}, r"'frame_length' parameter .* in the range \[1, 64\]\. Got 65"),
        ({"hop_length": 0}, r"'hop_length' parameter .* must be an int in the range \[1, inf\)"),
        ({"fmax": 501}, r"'fmax' parameter .* must be a float in the range \[0, 500\]\. Got 501"),
        ({"fmin": -1}, r"'fmin' parameter .* must be a float in the range \[0, 500\]\. Got -1"),
        ({"fmin": 500}, r"'fmin' parameter .* must lie below fmax\. Got 500 for both"),
        ({"fmin": "low"}, r"'fmin' parameter .* Got 'low' instead"),
        ({"window": "round"}, r"'window' parameter .* scipy\.signal\.get_window knows"),
        ({"window": ("kaiser", [1])}, r"'window' parameter .* scipy\.signal\.get_window knows"),
        ({"window": 3}, r"'window' parameter .* must be an instance of 'str'"),
        ({"log_offset": 0}, r"'log_offset' parameter .* must be a float in the range \(0\.0, inf"),
        ({"clip": -1}, r"'clip' parameter .* must be a float in the range \(0\.0, inf\) or None"),
        ({"level": "rms"}, r"'level' parameter .* must be a str among \{.+\} or None\. Got 'rms'"),
        ({"n_jobs": "all"}, r"'n_jobs' parameter .* must be an instance of 'int' or None"),
        ({"n_jobs": 0}, r"n_jobs == 0 in Parallel has no meaning"),
    ],
)
def test_parameters_out_of_range(params, message):
    with pytest.raises(ValueError, match=message):
        tiny(**params).fit_transform([np.ones(100)])


def test_parameters_are_checked_again_by_transform():
    transformer = tiny().fit([np.ones(100)]).set_params(level="rms")
    with pytest.raises(ValueError, match="The 'level' parameter of MFCCTransformer"):
        transformer.transform([np.ones(100)])


# --- kinds of input --------------------------------------------------------------------------


def test_every_kind_of_list_of_paths(write_audio):
    paths = [write_audio(f"{n}.wav", duration=n / 10) for n in (1, 5)]
    names = [str(path) for path in paths]
    transformer = MFCCTransformer(duration=0.3)
    expected = transformer.fit_transform(names)
    kinds = [
        paths,
        tuple(names),
        np.array(names),
        np.array(paths, dtype=object),
        pd.Series(names, index=[7, 3]),
        pd.Series(paths),
        [paths[0], names[1]],
        pd.Index(names),
    ]
    for kind in kinds:
        np.testing.assert_array_equal(transformer.fit_transform(kind), expected)


def test_every_kind_of_waveforms():
    rows = np.random.default_rng(0).normal(size=(3, 100)).astype(np.float32)
    transformer = tiny(duration=0.08)
    expected = transformer.fit_transform(list(rows))
    frame = pd.DataFrame(rows).rename(columns=str)
    by_object = np.empty(3, dtype=object)
    by_object[:] = list(rows)
    for kind in (rows, rows.tolist(), tuple(rows), frame, by_object, pd.Series(list(rows))):
        np.testing.assert_array_equal(transformer.fit_transform(kind), expected)
    ragged = [rows[0].tolist(), rows[1, :90].tolist()]
    np.testing.assert_array_equal(transformer.fit_transform(ragged)[0], expected[0])


def test_files_and_their_samples_give_the_same(write_audio):
    path = write_audio(duration=0.4)
    transformer = MFCCTransformer(duration=0.3)
    np.testing.assert_array_equal(
        transformer.transform([path]), transformer.transform([load_audio(path)])
    )


def test_pcm_integers_are_scaled():
    pcm = np.random.default_rng(0).integers(-(2**15), 2**15, size=(2, 100)).astype(np.int16)
    transformer = tiny(level=None)
    expected = transformer.fit_transform(pcm / 2**15)
    for kind in (pcm, list(pcm), pcm.astype(np.int32) << 16):
        np.testing.assert_array_equal(transformer.fit_transform(kind), expected)


def test_a_2d_array_keeps_its_width():
    rows = np.ones((2, 100))
    transformer = tiny().fit(rows)
    assert transformer.n_features_in_ == 100
    message = "X has 90 features, but MFCCTransformer is expecting 100 features as input"
    with pytest.raises(ValueError, match=message):
        transformer.transform(rows[:, :90])
    assert transformer.transform([rows[0, :90]]).shape == (1, 1, 4)  # lists may have any length


def test_a_list_has_no_width():
    transformer = tiny().fit(np.ones((2, 100))).fit([np.ones(100), np.ones(90)])
    assert not hasattr(transformer, "n_features_in_")
    assert transformer.transform(np.ones((2, 90))).shape == (2, 1, 4)


def test_column_names_are_kept():
    frame = pd.DataFrame(np.ones((2, 100))).rename(columns="t{}".format)
    transformer = tiny().fit(frame)
    assert transformer.feature_names_in_.tolist() == list(frame.columns)
    with pytest.raises(ValueError, match="The feature names should match"):
        transformer.transform(frame.rename(columns={"t0": "start"}))


@pytest.mark.parametrize(
    ("name", "options", "tolerance"),
    [
        ("voice.flac", {}, 0.002),
        ("voice.wav", {"sample_rate": 44100, "channels": 2, "subtype": "PCM_24"}, 0.005),
        ("voice.wav", {"sample_rate": 48000, "channels": 6, "subtype": "FLOAT"}, 0.005),
        ("voice.ogg", {"compression_level": 0.0}, 1.0),
        ("voice.mp3", {"compression_level": 0.0}, 2.0),
        ("voice.mp3", {"compression_level": 0.0, "sample_rate": 44100, "channels": 2}, 2.0),
    ],
)
def test_formats_sound_the_same(write_audio, voice, name, options, tolerance):
    mfcc = MFCCTransformer(duration=0.4).transform([write_audio(name, **options)])
    expected = MFCCTransformer(duration=0.4).transform([voice(0.5, 16000)])
    np.testing.assert_allclose(mfcc, expected, rtol=0, atol=tolerance)
    assert np.abs(mfcc - expected).mean() < tolerance / 4


# --- any waveform ----------------------------------------------------------------------------


def is_usable(mfcc, n_frames):
    assert mfcc.shape == (1, n_frames, 4)
    assert mfcc.dtype == np.float32
    assert np.isfinite(mfcc).all()


@pytest.mark.filterwarnings("ignore::skser.exceptions.SilentAudioWarning")
@pytest.mark.parametrize("level", ["percentile", "peak"])
@given(
    samples=npst.arrays(
        npst.floating_dtypes(sizes=(16, 32, 64), endianness="="),
        st.integers(1, 200),
        elements=st.floats(-60000, 60000, width=16),
    ),
    exponent=st.integers(-170, 110),
)
@example(samples=np.full(200, np.finfo(np.float32).max), exponent=0)
@example(samples=np.full(200, np.finfo(np.float32).smallest_subnormal), exponent=0)
@example(samples=np.append(np.zeros(199), 1e-45), exponent=0)
def test_any_waveform_gives_finite_features(level, samples, exponent):
    waveform = np.ldexp(samples.astype(np.float64), exponent)
    is_usable(tiny(level=level).transform([waveform]), n_frames=1)
    (mfcc,) = tiny(level=level, duration=None).transform([waveform])
    is_usable(mfcc[np.newaxis], n_frames=1 + max(0, len(waveform) - 64) // 32)


@given(length=st.integers(1, 500), duration=st.floats(0.064, 0.5), seed=st.integers(0, 99))
def test_any_length_is_cut_or_padded(length, duration, seed):
    waveform = np.random.default_rng(seed).normal(size=length)
    mfcc = tiny(duration=duration, level=None).transform([waveform])
    is_usable(mfcc, n_frames=1 + (round(duration * 1000) - 64) // 32)


# --- warnings --------------------------------------------------------------------------------


def test_silence_warns_and_gives_finite_features(write_audio):
    path = write_audio("silent.wav", samples=np.zeros(9000))
    with pytest.warns(
        SilentAudioWarning,
        match=r"The recording '.*silent.wav' is silent: all of its samples are zero",
    ) as caught:
        mfcc = MFCCTransformer().transform([path])
    assert np.isfinite(mfcc).all()
    assert caught[0].filename == __file__
    with pytest.warns(SilentAudioWarning, match="Waveform 1 is silent"):
        mfcc = tiny().transform([np.ones(100), np.zeros(100)])
    assert np.isfinite(mfcc).all()


def test_silence_where_it_was_cut_is_silence():
    with pytest.warns(SilentAudioWarning, match="Waveform 0 is silent"):
        tiny().transform([np.repeat([1.0, 0.0, 1.0], 100)])


def test_a_batch_warns_once_of_a_kind(write_audio):
    paths = [write_audio(f"{n}.wav", samples=np.zeros(9000)) for n in range(11)]
    for path in paths[3:5]:
        os.truncate(path, 10_000)
    with pytest.warns(UserWarning) as caught:  # noqa: PT030 - both messages are looked at below
        MFCCTransformer().transform(paths)
    silent, truncated = sorted(caught, key=lambda w: w.category.__name__)
    assert silent.category is SilentAudioWarning
    assert str(silent.message).startswith("11 utterances deserve a warning:\n  - The recording")
    assert str(silent.message).endswith("\n  and 1 more")
    assert truncated.category is TruncatedAudioWarning
    assert str(truncated.message).startswith("2 utterances deserve a warning:\n  - The recording")
    assert "3.wav' is cut short: 8,044 bytes of samples" in str(truncated.message)


# --- errors ----------------------------------------------------------------------------------


def test_one_bad_file_is_named(write_audio):
    with pytest.raises(AudioFileError, match=r"^The recording 'gone\.wav' does not exist"):
        MFCCTransformer().transform([write_audio(), Path("gone.wav")])


@pytest.mark.parametrize("n_jobs", [None, 3])
def test_many_bad_files_are_listed_in_one_error(write_audio, n_jobs):
    paths = [write_audio(), *(f"gone{n:02}.wav" for n in range(12)), write_audio("last.wav")]
    with pytest.raises(
        AudioFileError, match=r"^12 utterances cannot be used, so nothing was computed:"
    ) as caught:
        MFCCTransformer(n_jobs=n_jobs).transform(paths)
    lines = str(caught.value).splitlines()
    assert len(lines) == 1 + 10 + 1
    assert all(f"'gone{n:02}.wav' does not exist" in line for n, line in enumerate(lines[1:11]))
    assert lines[-1] == "  and 2 more"


def test_bad_files_of_all_kinds_are_listed(write_audio, tmp_path):
    for name, content in (("empty.wav", b""), ("text.wav", b"anger\n" * 99), ("cut.wav", b"RIFF")):
        (tmp_path / name).write_bytes(content)
    write_audio("nan.wav", samples=np.full(100, np.nan), subtype="FLOAT")
    write_audio("none.wav", samples=np.zeros(0))
    names = ("empty.wav", "text.wav", "cut.wav", "nan.wav", "none.wav", "gone.wav")
    with pytest.raises(AudioFileError, match=r"^6 utterances cannot be used") as caught:
        MFCCTransformer().transform([tmp_path / name for name in names])
    reasons = (
        r"is empty \(0 bytes\)",
        "cannot be read as WAV, FLAC, OGG or MP3",
        "cannot be read as WAV, FLAC, OGG or MP3",
        "holds NaN or infinite samples",
        "has no samples",
        "does not exist",
    )
    for name, reason in zip(names, reasons, strict=True):
        assert caught.match(f"The recording '.*{name}' {reason}")


def test_many_bad_waveforms_are_listed_in_one_error():
    waveforms = [np.ones(100), np.full(100, np.inf), [], np.ones(90)]
    with pytest.raises(AudioError, match=r"^2 utterances cannot be used") as caught:
        tiny().transform(waveforms)
    assert caught.match(r"Waveform 1 must hold finite numbers\. Got NaN or infinity")
    assert caught.match(r"Waveform 2 must have at least one sample\. Got none")


@pytest.mark.parametrize(
    ("X", "error", "message"),
    [
        ("a.wav", TypeError, "takes a list of recordings. Got the single path 'a.wav' instead"),
        (Path("a.wav"), TypeError, "takes a list of recordings. Got the single path 'a.wav'"),
        (["a.wav", None], AudioError, "Utterance 1 must be a path, .* Got NoneType instead"),
        ([np.nan, "a.wav"], AudioError, "Utterance 0 must be a path, .* Got float instead"),
        ([np.array(["a"])], AudioError, "Waveform 0 must hold real numbers. Got dtype <U1"),
        ([np.ones(9) * 1j], AudioError, "Waveform 0 must hold real numbers. Got dtype complex128"),
        ([], AudioError, r"needs at least one utterance\. Got none"),
        ([np.ones(2000), np.ones((2000, 2))], AudioError, "Waveform 1 must have shape"),
        (np.ones(100), ValueError, "Reshape your data"),
        (None, ValueError, "Expected 2D array, got scalar array instead"),
        (np.ones((2, 3, 4)), ValueError, "Found array with dim 3"),
        (np.ones((0, 9)), ValueError, r"Found array with 0 sample\(s\)"),
        (np.ones((9, 0)), ValueError, r"Found array with 0 feature\(s\)"),
        (np.full((2, 9), np.nan), ValueError, "Input X contains NaN"),
    ],
)
def test_what_x_may_not_be(X, error, message):
    with pytest.raises(error, match=message):
        tiny().fit_transform(X)
