"""Recordings to test with, synthetic ones of every format and the real EMO-DB, and probes."""

import os
from pathlib import Path

import hypothesis
import numpy as np
import opensmile  # noqa: F401 - before a test imports TensorFlow, see start_keras
import pytest
import soundfile
from sklearn.utils import Bunch
from standin import PowerCut, StandIn, make_corpus

from skser import evaluate

hypothesis.settings.register_profile("skser", deadline=None)  # no test asserts a time
hypothesis.settings.load_profile("skser")


@pytest.fixture(scope="session")
def voice():
    """Sample a sum of 69 harmonics of 100 Hz: the same sound at any rate above 14 kHz."""
    frequencies = 100 * np.arange(1, 70)
    phases = np.random.default_rng(0).uniform(0, 2 * np.pi, len(frequencies))

    def sample(duration, sample_rate):
        time = np.arange(round(duration * sample_rate)) / sample_rate
        return np.cos(2 * np.pi * np.outer(time, frequencies) + phases).sum(axis=1) / 70

    return sample


@pytest.fixture
def write_audio(tmp_path, voice):
    """Write given samples, or channels that differ and whose mean is `voice`."""

    def write(
        name="voice.wav",
        *,
        duration=0.5,
        sample_rate=16000,
        channels=1,
        subtype=None,
        samples=None,
        **options,
    ):
        if samples is None:
            weights = 1 + (np.arange(channels) - (channels - 1) / 2) / channels
            samples = np.outer(voice(duration, sample_rate), weights)
        path = tmp_path / name
        soundfile.write(path, samples, sample_rate, subtype, **options)
        return path

    return write


@pytest.fixture(scope="session")
def emodb_root():
    """The folder of the official EMO-DB corpus."""
    default = Path(__file__).parents[2] / "shared" / "data" / "emodb"
    folder = Path(os.environ.get("SKSER_EMODB", default))
    if not folder.is_dir():
        pytest.skip("needs EMO-DB: set SKSER_EMODB to the folder that holds its wav/")
    return folder


@pytest.fixture
def extractions(monkeypatch):
    """Begin with no functionals in memory, and note the length of each waveform extracted."""
    from skser import functionals
    from skser._feature_cache import FeatureCache

    extract, lengths = functionals._extract, []

    def noted(feature_set, sample_rate, waveform):
        lengths.append(len(waveform))
        return extract(feature_set, sample_rate, waveform)

    monkeypatch.setattr(functionals, "_extract", noted)
    monkeypatch.setattr(functionals, "_CACHE", FeatureCache(max_bytes=2**20))
    return lengths


@pytest.fixture(scope="session")
def noise():
    """Four speakers who make noise in three manners."""
    return make_corpus()


@pytest.fixture(scope="session")
def whole(noise):
    """An evaluation of the stand-in that nothing interrupted."""
    return evaluate(StandIn(), noise)


@pytest.fixture
def count_fits(monkeypatch):
    """Count the fits of StandIn, and end the process in the one whose number is in `failing`."""
    fit, count = StandIn.fit, Bunch(fits=0, failing=None)

    def counted(self, X, y):
        count.fits += 1
        if count.fits == count.failing:
            raise PowerCut("the power went")
        return fit(self, X, y)

    monkeypatch.setattr(StandIn, "fit", counted)
    return count
