"""MFCCs from a cache: the same numbers and warnings, computed once whoever asks for them."""

import os
import pickle
import shutil
import subprocess
import sys
import time
from pathlib import Path

import joblib
import numpy as np
import pytest
from sklearn import config_context
from sklearn.base import clone
from sklearn.linear_model import SGDClassifier
from sklearn.model_selection import GridSearchCV, LeaveOneGroupOut, cross_validate
from sklearn.pipeline import Pipeline
from sklearn.utils.estimator_checks import estimator_checks_generator

from skser import MFCCTransformer, _utterances
from skser.cache import describe_cache
from skser.exceptions import (
    AudioFileError,
    CacheError,
    SilentAudioWarning,
    TruncatedAudioWarning,
)
from skser.functionals import MFCCStatistics

TINY = {"duration": 0.2, "n_mfcc": 4, "n_mels": 8}


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "cache"


@pytest.fixture
def settled(write_audio):
    """Write noise to files that are a minute old, each with its own, and return their paths."""

    def write(n, first=0):
        paths = []
        for seed in range(first, first + n):
            noise = np.random.default_rng(seed).normal(scale=0.1, size=5000)
            paths.append(write_audio(f"{seed}.wav", samples=noise))
            age(paths[-1])
        return [str(path) for path in paths]

    return write


@pytest.fixture
def readings(monkeypatch):
    """Note each file that is read."""
    read_audio, paths = _utterances.read_audio, []

    def noted(path, **options):
        paths.append(path)
        return read_audio(path, **options)

    monkeypatch.setattr(_utterances, "read_audio", noted)
    return paths


def age(path):
    then = time.time() - 60
    os.utime(path, (then, then))


def counts(folder):
    description = describe_cache(folder)
    return description.misses, description.hits


def assert_equal(one, other):
    assert type(one) is type(other)
    for array, expected in zip(one, other, strict=True):
        assert array.dtype == np.float32
        np.testing.assert_array_equal(array, expected)


# --- the same numbers ------------------------------------------------------------------------


@pytest.mark.parametrize("duration", [0.2, None])
@pytest.mark.parametrize("n_jobs", [None, 3])
def test_found_or_computed_it_is_the_same(settled, folder, duration, n_jobs):
    paths, generator = settled(5), np.random.default_rng(0)
    waveforms = [generator.normal(size=n) for n in (10, 3000, 5000)]
    pcm = generator.integers(-(2**15), 2**15, size=(2, 4000)).astype(np.int16)
    params = {**TINY, "duration": duration}
    cached = MFCCTransformer(**params, cache=folder, n_jobs=n_jobs)
    for X in (paths, waveforms, pcm):
        expected = MFCCTransformer(**params).fit_transform(X)
        for _ in range(2):
            assert_equal(cached.fit_transform(X), expected)
    assert counts(folder) == (10, 10)


def test_the_result_is_the_callers_own(settled, folder):
    paths = settled(2)
    transformer = MFCCTransformer(**TINY | {"duration": None}, cache=folder)
    for _ in range(3):
        for array in transformer.transform(paths):
            assert (array != 0).any()
            array[:] = 0


def test_common_checks_with_a_cache(folder):
    transformer = MFCCTransformer(
        sample_rate=1000,
        duration=0.064,
        n_mfcc=4,
        n_mels=8,
        n_fft=64,
        frame_length=64,
        hop_length=32,
        fmin=0,
        fmax=500,
        cache=str(folder),
    )
    for estimator, check in estimator_checks_generator(transformer):
        if check.func.__name__ != "check_array_api_input":
            check(estimator)
    assert counts(folder)[1] > 0


@pytest.mark.parametrize("copy", [clone, lambda t: pickle.loads(pickle.dumps(t))])
def test_copies_share_the_folder(settled, folder, copy):
    paths = settled(2)
    transformer = MFCCTransformer(**TINY, cache=folder).fit(paths)
    assert_equal(copy(transformer).transform(paths), transformer.transform(paths))
    assert transformer.cache is folder
    assert counts(folder) == (2, 2)


# These are the MFCCs of `_NUMBERS`: if they change, raise it, so that no cache gives old ones.
NUMBERS_1 = [
    [10.0, -8.4303, -0.4702],
    [10.0, -7.7064, 0.3536],
]


def test_the_version_of_the_numbers_is_raised_with_them():
    from skser.mfcc import _NUMBERS

    waveform = np.random.default_rng(0).normal(size=1280)
    (mfcc,) = MFCCTransformer(duration=0.08).transform([waveform])
    np.testing.assert_allclose(mfcc[:, :3], NUMBERS_1, atol=1e-3)
    assert _NUMBERS == 1


# --- what the key is -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "params",
    [
        {"sample_rate": 15999},
        {"duration": 0.21},
        {"duration": None},
        {"n_mfcc": 5},
        {"n_mels": 9},
        {"n_fft": 2048},
        {"frame_length": 1023},
        {"hop_length": 255},
        {"fmin": 41},
        {"fmax": 7599},
        {"window": "hann"},
        {"window": ("kaiser", 4.0)},
        {"log_offset": 1e-5},
        {"clip": 9},
        {"level": None},
    ],
    ids=str,
)
def test_every_parameter_that_matters_is_in_the_key(folder, settled, params):
    paths = settled(1)
    MFCCTransformer(**TINY, cache=folder).transform(paths)
    other = TINY | params
    cached = MFCCTransformer(**other, cache=folder).transform(paths)
    assert_equal(cached, MFCCTransformer(**other).transform(paths))
    assert counts(folder) == (2, 0)


def test_all_parameters_are_in_the_key_or_known_not_to_matter():
    tested = "sample_rate duration n_mfcc n_mels n_fft frame_length hop_length fmin fmax window"
    matter = {*tested.split(), "log_offset", "clip", "level"}
    assert {*MFCCTransformer().get_params()} == matter | {"n_jobs", "cache", "memory_map"}


def test_what_does_not_matter_is_not_in_the_key(folder, settled):
    paths = settled(3)
    MFCCTransformer(**TINY, cache=folder).transform(paths)
    same = {"fmin": 40, "clip": np.float64(10), "n_fft": np.int64(1024)}
    MFCCTransformer(**TINY, **same, n_jobs=2, cache=str(folder)).transform(paths)
    assert counts(folder) == (3, 3)


def test_an_older_version_of_the_numbers_is_not_taken(folder, settled, monkeypatch):
    paths = settled(1)
    MFCCTransformer(**TINY, cache=folder).transform(paths)
    monkeypatch.setattr("skser.mfcc._NUMBERS", 2)
    MFCCTransformer(**TINY, cache=folder).transform(paths)
    assert counts(folder) == (2, 0)


def test_a_recording_is_known_by_its_content(folder, settled, tmp_path):
    paths = settled(2)
    copied = shutil.copy(paths[0], tmp_path / "copy.wav")
    transformer = MFCCTransformer(**TINY, cache=folder)
    transformer.transform([*paths, copied])
    transformer.transform([_utterances.read_audio(copied, sample_rate=16000)[0]])
    assert counts(folder) == (2, 2)


def test_a_recording_that_changes_is_computed_anew(folder, settled):
    one, other = settled(2)
    transformer = MFCCTransformer(**TINY, cache=folder)
    transformer.transform([one])
    status = Path(one).stat()
    with Path(one).open("r+b") as file:  # in place: the same size and number
        file.write(Path(other).read_bytes())
    os.utime(one, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert_equal(transformer.transform([one]), MFCCTransformer(**TINY).transform([other]))


def test_each_recording_is_read_once_for_each_setting(folder, settled, readings):
    paths = settled(4)
    for duration in (0.1, 0.2):
        for rows in ([0, 1, 2], [1, 2, 3], [3, 0], [2]):
            transformer = MFCCTransformer(**TINY | {"duration": duration}, cache=folder)
            transformer.transform([paths[row] for row in rows])
    assert sorted(readings) == sorted(paths * 2)
    assert counts(folder) == (8, 10)


def test_a_recording_that_was_just_written_is_read_again(folder, write_audio, readings):
    path = write_audio()
    for _ in range(2):
        MFCCTransformer(**TINY, cache=folder).transform([path])
    assert readings == [path, path]
    assert counts(folder) == (1, 1)


# --- warnings and errors ---------------------------------------------------------------------


def test_warnings_come_with_every_transform(folder, write_audio):
    silent, short = write_audio("silent.wav", samples=np.zeros(5000)), write_audio("short.wav")
    os.truncate(short, 8000)
    for path in (silent, short):
        age(path)
    for _ in range(3):
        with (
            pytest.warns(SilentAudioWarning, match=r"silent.wav' is silent") as caught,
            pytest.warns(TruncatedAudioWarning, match=r"short.wav' is cut short"),
        ):
            MFCCTransformer(**TINY, cache=folder).transform([silent, short])
        assert caught[0].filename == __file__
    assert counts(folder) == (2, 4)


def test_bad_recordings_are_listed_and_good_ones_are_kept(folder, settled):
    paths = settled(2)
    transformer = MFCCTransformer(**TINY, cache=folder)
    with pytest.raises(AudioFileError, match=r"^2 utterances cannot be used"):
        transformer.transform(["gone.wav", *paths, "lost.wav"])
    transformer.transform(paths)
    assert counts(folder) == (2, 2)


def test_a_folder_that_is_no_cache_is_refused(settled, tmp_path):
    paths = settled(1)
    with pytest.raises(CacheError, match="is no feature cache"):
        MFCCTransformer(**TINY, cache=tmp_path).transform(paths)
    assert {path.suffix for path in tmp_path.iterdir()} == {".wav"}


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"cache": 3}, r"'cache' parameter .* must be an instance of 'str'"),
        ({"memory_map": "yes"}, r"'memory_map' parameter .* must be an instance of 'bool'"),
        ({"memory_map": True}, r"With memory_map=True the 'cache' parameter .* must not be None"),
        (
            {"memory_map": True, "cache": "x", "duration": None},
            r"With memory_map=True the 'duration' parameter .* must not be None",
        ),
    ],
)
def test_parameters_out_of_range(params, message):
    with pytest.raises(ValueError, match=message):
        MFCCTransformer(**TINY | params).fit([np.ones(100)])


# --- computed once ---------------------------------------------------------------------------


def make_search(folder, **options):
    steps = [
        ("mfcc", MFCCTransformer(**TINY, cache=folder)),
        ("statistics", MFCCStatistics()),
        ("classifier", SGDClassifier(random_state=0, max_iter=5, tol=None)),
    ]
    grid = {"classifier__loss": ["hinge", "log_loss"], "mfcc__duration": [0.1, 0.2]}
    return GridSearchCV(Pipeline(steps), grid, cv=LeaveOneGroupOut(), **options)


@pytest.fixture
def corpus(settled):
    """Recordings of ten speakers, three of each, with labels."""
    return settled(30), np.arange(30) % 3, np.repeat(np.arange(10), 3)


@pytest.mark.parametrize("n_jobs", [None, 2])
def test_a_grid_computes_each_recording_once_for_each_duration(folder, corpus, n_jobs):
    X, y, groups = corpus
    make_search(folder, n_jobs=n_jobs, error_score="raise").fit(X, y, groups=groups)
    # each of 4 candidates transforms all 30 in each of 10 folds, and the best all 30 once more
    assert counts(folder) == (2 * 30, 4 * 10 * 30 + 30 - 2 * 30)
    assert describe_cache(folder).n_entries == 2 * 30


@pytest.mark.parametrize("n_jobs", [None, 2])
def test_nested_cross_validation_computes_each_recording_once(folder, corpus, n_jobs):
    X, y, groups = ([row for n, row in enumerate(part) if n < 12] for part in corpus)
    with config_context(enable_metadata_routing=True):
        cross_validate(
            make_search(folder, error_score="raise"),
            X,
            y,
            params={"groups": groups},
            cv=LeaveOneGroupOut(),
            n_jobs=n_jobs,
            error_score="raise",
        )
    assert counts(folder)[0] == 2 * 12


# --- mapped ----------------------------------------------------------------------------------


def test_a_mapped_array_is_the_same(folder, settled, readings):
    paths = settled(6)
    expected = MFCCTransformer(**TINY).transform(paths)
    readings.clear()
    mapping = MFCCTransformer(**TINY, cache=folder, memory_map=True, n_jobs=2)
    first = mapping.fit_transform(paths)
    again = mapping.transform(paths)
    for mapped in (first, again):
        assert isinstance(mapped, np.memmap)
        assert not mapped.flags.writeable
        np.testing.assert_array_equal(mapped, expected)
    assert sorted(readings) == sorted(paths)
    np.testing.assert_array_equal(mapping.transform(paths[::-1]), expected[::-1])
    assert describe_cache(folder).n_arrays == 2
    assert counts(folder) == (6, 12)


def test_waveforms_and_odd_recordings_are_mapped_too(folder, write_audio):
    silent = write_audio("silent.wav", samples=np.zeros(5000))
    age(silent)
    mapping = MFCCTransformer(**TINY, cache=folder, memory_map=True)
    for X in ([np.ones(3000), np.zeros(3000)], [silent]):
        for _ in range(2):
            with pytest.warns(SilentAudioWarning, match="is silent"):
                mapped = mapping.transform(X)
            assert isinstance(mapped, np.memmap)
    assert describe_cache(folder).n_arrays == 2


def test_bad_recordings_are_not_mapped(folder, settled):
    mapping = MFCCTransformer(**TINY, cache=folder, memory_map=True)
    with pytest.raises(AudioFileError, match=r"The recording 'gone.wav' does not exist"):
        mapping.transform([*settled(1), "gone.wav"])
    assert describe_cache(folder).n_arrays == 0
    assert [path for path in (folder / "arrays").rglob("*") if path.is_file()] == []


def test_workers_map_the_same_file(folder, settled):
    mapped = MFCCTransformer(**TINY, cache=folder, memory_map=True).transform(settled(3))
    kinds = joblib.Parallel(n_jobs=2)(joblib.delayed(type)(mapped) for _ in range(2))
    assert kinds == [np.memmap, np.memmap]


SCRIPT = """
import sys, threading, time
import numpy as np
from skser import LightSERNetClassifier, MFCCTransformer
from skser._mfcc_input import check_mfcc
from skser.training import gather, training_batches

def private():
    with open("/proc/self/status") as file:
        (line,) = (line for line in file if line.startswith("RssAnon"))
    return int(line.split()[1])

def watch():
    while True:
        peaks.append(private())
        time.sleep(0.005)

folder, paths, few, many = sys.argv[1], sys.argv[4:], *map(int, sys.argv[2:4])
transformer = MFCCTransformer(cache=folder, memory_map=True)
peaks = []
threading.Thread(target=watch, daemon=True).start()
for n in (few, few, many):
    del peaks[:]
    X = check_mfcc(LightSERNetClassifier(), transformer.transform(paths * n), reset=True)
    for batch in training_batches(X, np.arange(len(X)), 32, np.random.default_rng(0)):
        gather(X, batch)
    print(max([*peaks, private()]), X.nbytes // 1024)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not tell private memory")
def test_private_memory_does_not_grow_with_the_utterances(folder, settled):
    command = [sys.executable, "-c", SCRIPT, str(folder), "5", "50", *settled(40)]
    answer = subprocess.run(command, capture_output=True, text=True)
    assert answer.returncode == 0, answer.stderr
    (_, _), (few, fewer_kb), (many, more_kb) = (
        map(int, line.split()) for line in answer.stdout.splitlines()
    )
    assert more_kb == 10 * fewer_kb
    assert more_kb > 0.2 * few  # so that a copy of it would show
    assert many < 1.1 * few
