"""Functionals of openSMILE and statistics of MFCCs: the numbers, and what is refused."""

import builtins
import pickle
import subprocess
import sys

import numpy as np
import opensmile
import pandas as pd
import pytest
import soundfile
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.utils.estimator_checks import estimator_checks_generator, parametrize_with_checks

from skser import MFCCTransformer, functionals
from skser._feature_cache import FeatureCache
from skser.exceptions import (
    AudioError,
    AudioFileError,
    SilentAudioWarning,
    TruncatedAudioWarning,
)
from skser.functionals import FunctionalsTransformer, MFCCStatistics

N_FEATURES = {"eGeMAPSv02": 88, "ComParE_2016": 6373}


def egemaps(**params):
    return FunctionalsTransformer(feature_set="eGeMAPSv02", **params)


@pytest.fixture(scope="module")
def noises():
    generator = np.random.default_rng(0)
    return [generator.normal(scale=0.1, size=n) for n in (3000, 5000, 8000)]


# --- scikit-learn's common checks: none is expected to fail ----------------------------------


@parametrize_with_checks([egemaps(), MFCCStatistics()])
def test_common_checks(estimator, check):
    check(estimator)


@pytest.mark.parametrize("estimator", [egemaps(), MFCCStatistics()])
def test_the_common_checks_are_many(estimator):
    assert len(list(estimator_checks_generator(estimator))) >= 40


# --- openSMILE: the numbers ------------------------------------------------------------------


@pytest.mark.parametrize("feature_set", N_FEATURES)
def test_recordings_give_what_opensmile_gives(emodb_root, feature_set):
    paths = sorted(map(str, (emodb_root / "wav").glob("*.wav")))[::120]
    smile = opensmile.Smile(
        feature_set=opensmile.FeatureSet[feature_set],
        feature_level=opensmile.FeatureLevel.Functionals,
    )
    expected = np.concatenate([smile.process_file(path).to_numpy() for path in paths])
    transformer = FunctionalsTransformer(feature_set=feature_set)
    vectors = transformer.fit_transform(paths)
    assert vectors.dtype == np.float32
    assert vectors.shape == (len(paths), N_FEATURES[feature_set])
    np.testing.assert_array_equal(vectors, expected)
    assert transformer.get_feature_names_out().tolist() == smile.feature_names


@pytest.mark.usefixtures("extractions")
def test_rows_are_independent_of_each_other(noises, monkeypatch):
    together = egemaps().transform(noises)
    for n_jobs in (1, 3):
        monkeypatch.setattr(functionals, "_CACHE", FeatureCache(max_bytes=0))
        backwards = egemaps(n_jobs=n_jobs).transform(noises[::-1])
        np.testing.assert_array_equal(backwards[::-1], together)
        alone = [egemaps(n_jobs=n_jobs).transform([noise])[0] for noise in noises]
        np.testing.assert_array_equal(alone, together)


def test_files_and_their_samples_give_the_same(write_audio):
    path = write_audio(duration=0.2)
    samples, _ = soundfile.read(path)
    np.testing.assert_array_equal(egemaps().transform([path]), egemaps().transform([samples]))


def test_recordings_are_resampled(write_audio):
    def hum(sample_rate):  # 200 Hz and its harmonics, falling as those of a voice do
        time = np.arange(sample_rate // 2) / sample_rate
        return sum(np.sin(2 * np.pi * 200 * n * time) / n for n in range(1, 30)) / 4

    paths = [write_audio(f"{r}.wav", samples=hum(r), sample_rate=r) for r in (16000, 44100)]
    table = egemaps().set_output(transform="pandas").transform(paths)
    np.testing.assert_allclose(
        table["F0semitoneFrom27.5Hz_sma3nz_amean"], 12 * np.log2(200 / 27.5), atol=0.1
    )


def test_full_scale_is_not_turned_over():
    # as 16 bits, 1.0 is 32768, which is -32768 without clipping
    square = np.sign(np.sin(np.arange(8000) / 20))
    vectors = egemaps().transform([square, square * 32767 / 32768, square * 3])
    np.testing.assert_array_equal(vectors[0], vectors[2])
    np.testing.assert_allclose(vectors[0], vectors[1], rtol=1e-2, atol=1e-2)


@pytest.mark.parametrize("sample_rate", [8000, 16000, 44100])
@pytest.mark.parametrize("feature_set", N_FEATURES)
def test_the_shortest_utterances_are_padded(feature_set, sample_rate):
    transformer = FunctionalsTransformer(feature_set=feature_set, sample_rate=sample_rate)
    short = np.full(10, 0.1)
    n_padded = int(0.06 * sample_rate) - 10
    padded = np.pad(short, (n_padded // 2, n_padded - n_padded // 2))
    vectors = transformer.transform([short, padded])
    assert np.isfinite(vectors).all()
    np.testing.assert_array_equal(*vectors)


# --- computed once ---------------------------------------------------------------------------


def test_each_utterance_is_extracted_once(noises, extractions):
    first = egemaps().fit_transform(noises)
    assert extractions == [3000, 5000, 8000]
    again = clone(egemaps()).fit(noises[1:]).transform(noises[::-1])
    assert extractions == [3000, 5000, 8000]
    np.testing.assert_array_equal(again[::-1], first)


def test_other_samples_rates_and_features_are_extracted_anew(noises, extractions):
    egemaps().transform(noises[:1])
    egemaps().transform([noises[0] * 1.01])
    egemaps(sample_rate=8000).transform(noises[:1])
    assert FunctionalsTransformer().transform(noises[:1]).shape == (1, 6373)
    assert extractions == [3000] * 4


def test_a_file_written_anew_is_extracted_anew(write_audio, extractions):
    before = egemaps().transform([write_audio(duration=0.2)])
    after = egemaps().transform([write_audio(duration=0.3)])
    assert extractions == [3200, 4800]
    assert not np.array_equal(before, after)


def test_a_result_can_be_written_to(noises):
    first = egemaps().transform(noises)
    expected = first.copy()
    first += 1
    np.testing.assert_array_equal(egemaps().transform(noises), expected)


def test_the_cache_drops_what_was_unused_for_longest():
    cache, computed = FeatureCache(max_bytes=8), []

    def get(key):
        computed.append(key)
        return np.zeros(1, np.float32)

    for key in "abacab":  # two vectors of 4 bytes fit: "c" drops "b", then "b" drops "c"
        cache.get(key, lambda key=key: get(key))
    assert computed == ["a", "b", "c", "b"]


# --- parameters, names and copies ------------------------------------------------------------


@pytest.mark.parametrize("copy", [clone, lambda t: pickle.loads(pickle.dumps(t))])
def test_copies_compute_the_same(copy, noises):
    transformer = egemaps(sample_rate=8000, n_jobs=2).fit(noises)
    copied = copy(transformer)
    assert copied.get_params() == transformer.get_params()
    np.testing.assert_array_equal(copied.transform(noises), transformer.transform(noises))


def test_functionals_as_a_table(noises):
    transformer = egemaps().set_output(transform="pandas")
    table = transformer.fit_transform(noises)
    assert isinstance(table, pd.DataFrame)
    assert list(table) == transformer.get_feature_names_out().tolist()
    np.testing.assert_array_equal(table, egemaps().transform(noises))


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"feature_set": "IS09"}, r"'feature_set' parameter of FunctionalsTransformer must be a"),
        ({"sample_rate": 7999}, r"'sample_rate' parameter .* in the range \[8000, 192000\]"),
        ({"sample_rate": 16e3}, r"'sample_rate' parameter .* must be an int"),
        ({"n_jobs": "all"}, r"'n_jobs' parameter .* must be an instance of 'int' or None"),
    ],
)
@pytest.mark.parametrize("method", ["fit", "transform"])
def test_parameters_out_of_range(params, message, method, noises):
    with pytest.raises(ValueError, match=message):
        getattr(FunctionalsTransformer(**params), method)(noises)


def refuse_opensmile(name, *args, import_module=builtins.__import__, **kwargs):
    if name == "opensmile":
        raise ModuleNotFoundError(f"No module named '{name}'")
    return import_module(name, *args, **kwargs)


@pytest.mark.parametrize("method", ["fit", "transform"])
def test_without_opensmile_it_says_what_to_install(monkeypatch, noises, method):
    monkeypatch.setattr(builtins, "__import__", refuse_opensmile)
    monkeypatch.setattr(functionals, "find_spec", lambda _: None)
    monkeypatch.delitem(sys.modules, "opensmile", raising=False)
    monkeypatch.setitem(sys.modules, "tensorflow", None)  # as after a network was trained
    functionals._make_smile.cache_clear()
    message = (
        r"^FunctionalsTransformer needs opensmile\. Install it with pip install "
        r"'skser\[baselines\]'\.$"
    )
    with pytest.raises(ImportError, match=message):
        getattr(egemaps(), method)(noises)


@pytest.mark.parametrize(
    ("first", "message"),
    [
        ("from skser._process import start_keras; start_keras()", ""),
        ("import tensorflow", "openSMILE crashes in a process that imported TensorFlow before it"),
    ],
)
def test_tensorflow_before_opensmile_crashes_nothing(first, message):
    program = f"""
import numpy as np
{first}
from skser.functionals import FunctionalsTransformer
print(FunctionalsTransformer(feature_set="eGeMAPSv02").fit_transform([np.ones(16000)]).shape)
"""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program], capture_output=True, text=True, check=False
    )
    if message:
        assert done.returncode == 1
        assert message in done.stderr
    else:
        assert done.stdout == "(1, 88)\n", done.stderr


# --- errors and warnings ---------------------------------------------------------------------


@pytest.mark.parametrize("n_jobs", [None, 2])
def test_bad_files_are_listed_in_one_error(write_audio, n_jobs):
    paths = [write_audio(duration=0.1), "gone.wav", write_audio("none.wav", samples=np.zeros(0))]
    with pytest.raises(AudioFileError, match=r"^2 utterances cannot be used") as caught:
        egemaps(n_jobs=n_jobs).fit_transform(paths)
    assert caught.match(r"The recording 'gone\.wav' does not exist")
    assert caught.match(r"The recording '.*none\.wav' has no samples")


def test_bad_waveforms_are_listed_in_one_error(noises):
    with pytest.raises(AudioError, match=r"^2 utterances cannot be used") as caught:
        egemaps().fit_transform([*noises, np.full(9, np.inf), np.zeros((2, 2))])
    assert caught.match(r"Waveform 3 must hold finite numbers\. Got NaN or infinity")
    assert caught.match(r"Waveform 4 must have shape")


def test_a_single_path_is_refused():
    with pytest.raises(TypeError, match="FunctionalsTransformer takes a list of recordings"):
        egemaps().fit_transform("a.wav")


def test_silence_and_truncation_warn(write_audio):
    silent, cut = write_audio("silent.wav", samples=np.zeros(9000)), write_audio("cut.wav")
    cut.write_bytes(cut.read_bytes()[:10_000])
    with (
        pytest.warns(SilentAudioWarning, match=r"'.*silent.wav' is silent") as caught,
        pytest.warns(TruncatedAudioWarning, match=r"'.*cut.wav' is cut short"),
    ):
        vectors = egemaps().transform([silent, cut])
    assert np.isfinite(vectors).all()
    assert caught[0].filename == __file__


# --- statistics of MFCCs ---------------------------------------------------------------------


def test_statistics_by_hand():
    mfcc = [np.array([[1.0, 5.0], [3.0, 5.0]]), np.array([[7.0, -1.0]])]
    statistics = MFCCStatistics().fit_transform(mfcc)
    assert statistics.dtype == np.float32
    # mean of the first, of the second, then their standard deviations
    np.testing.assert_array_equal(statistics, [[2, 5, 1, 0], [7, -1, 0, 0]])


def test_statistics_of_an_array_and_of_a_list_are_the_same(noises):
    mfcc = MFCCTransformer(duration=0.3).fit_transform(noises)
    together = MFCCStatistics().fit_transform(mfcc)
    assert together.shape == (3, 80)
    np.testing.assert_array_equal(MFCCStatistics().fit_transform(list(mfcc)), together)
    alone = [MFCCStatistics().fit_transform(mfcc[[row]])[0] for row in range(3)]
    np.testing.assert_array_equal(alone, together)


def test_statistics_as_a_table(noises):
    mfcc = MFCCTransformer(duration=None, n_mfcc=2).fit_transform(noises)
    table = MFCCStatistics().set_output(transform="pandas").fit_transform(mfcc)
    assert list(table) == ["mfcc0_mean", "mfcc1_mean", "mfcc0_std", "mfcc1_std"]


def test_names_need_a_fit():
    with pytest.raises(NotFittedError, match="This MFCCStatistics instance is not fitted yet"):
        MFCCStatistics().get_feature_names_out()


@pytest.mark.parametrize(
    ("X", "message"),
    [
        ([], "MFCCStatistics needs at least one utterance. Got none"),
        (np.ones((0, 4, 2)), "MFCCStatistics needs at least one utterance. Got none"),
        (np.ones((3, 0, 2)), r"Found array with 0 sample\(s\)"),
        ([np.ones((2, 3)), np.ones((2, 2))], "X has 2 features, but MFCCStatistics is expecting 3"),
        ([np.full((2, 3), np.nan)], "Input X contains NaN"),
    ],
)
def test_mfccs_that_are_refused(X, message):
    with pytest.raises(ValueError, match=message):
        MFCCStatistics().fit(X)


def test_another_number_of_coefficients_is_refused():
    statistics = MFCCStatistics().fit(np.ones((2, 5, 4)))
    with pytest.raises(ValueError, match="X has 3 features, but MFCCStatistics is expecting 4"):
        statistics.transform(np.ones((2, 5, 3)))
