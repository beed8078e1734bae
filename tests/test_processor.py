"""A number format that the processor has no instructions for is warned of, once."""

import warnings
from unittest.mock import patch

import numpy as np
import pytest

from skser import LightSERNetClassifier, _processor, evaluate, load, make_light_sernet, save
from skser._folds import _start_worker
from skser._processor import has_warned, warn_if_slow
from skser.exceptions import SlowPrecisionWarning

MESSAGE = "no instructions for bfloat16.*train with precision='float32'"
WITHOUT = "model name : Some\nflags : fpu avx2 fma\nflags : fpu avx2 fma\n"


@pytest.fixture
def cpuinfo(tmp_path, monkeypatch):
    """Let the processor be one without the instructions, and return the file that says so."""
    path = tmp_path / "cpuinfo"
    path.write_text(WITHOUT)
    monkeypatch.setattr(_processor, "_CPUINFO", path)
    monkeypatch.setattr(_processor, "_said", False)
    return path


def caught(function, *args, **params):
    """Return the warnings of a call that nothing filters."""
    with warnings.catch_warnings(record=True) as record:
        warnings.simplefilter("always")
        function(*args, **params)
    return [str(warning.message) for warning in record if warning.category is SlowPrecisionWarning]


def test_warns_of_bfloat16_once(cpuinfo):
    assert not caught(warn_if_slow, "float32")
    with pytest.warns(SlowPrecisionWarning, match=MESSAGE):
        warn_if_slow("bfloat16")
    assert not caught(warn_if_slow, "bfloat16")


@pytest.mark.parametrize(
    "text",
    [
        "flags : fpu avx512_bf16 fma\n",
        "flags : fpu amx_bf16\n",
        "processor : 0\nFeatures : fp asimd bf16\n",
        "processor : 0\n",  # nobody knows
        None,
    ],
)
def test_is_silent_where_there_are_instructions_or_nobody_knows(cpuinfo, text):
    cpuinfo.unlink() if text is None else cpuinfo.write_text(text)
    assert not caught(warn_if_slow, "bfloat16")


def test_is_silent_on_a_gpu(cpuinfo, monkeypatch):
    monkeypatch.setattr("skser._tensorflow.has_gpu", lambda: True)
    assert not caught(warn_if_slow, "bfloat16")


def test_is_silent_on_another_backend(cpuinfo, monkeypatch):
    monkeypatch.setattr("keras.backend.backend", lambda: "jax")
    assert not caught(warn_if_slow, "bfloat16")


@pytest.fixture
def mfcc():
    return np.random.default_rng(0).normal(size=(4, 20, 40)).astype(np.float32)


def test_fit_warns_where_it_was_called(cpuinfo, mfcc):
    with pytest.warns(SlowPrecisionWarning, match=MESSAGE) as record:
        LightSERNetClassifier(epochs=1, precision="bfloat16").fit(mfcc, [0, 1, 0, 1])
    assert [warning.filename for warning in record] == [__file__]


def test_a_model_that_only_predicts_does_not_warn(cpuinfo, mfcc, tmp_path, monkeypatch):
    classifier = LightSERNetClassifier(epochs=1, precision="bfloat16")
    assert len(caught(classifier.fit, mfcc, [0, 1, 0, 1])) == 1
    save(classifier, tmp_path / "model.skser")
    monkeypatch.setattr(_processor, "_said", False)
    assert not caught(lambda: load(tmp_path / "model.skser").predict(mfcc))


def test_an_evaluation_warns_once(cpuinfo, noise):
    model = make_light_sernet(recipe="short", duration=0.3, epochs=1, precision="bfloat16")
    assert len(caught(evaluate, model, noise, protocol="leave-one-session-out")) == 1


@pytest.mark.parametrize("warned", [True, False])
def test_a_worker_is_told_whether_it_was_said(cpuinfo, warned):
    with (
        patch("skser._folds.end_with_parent") as watch,
        patch("skser._folds.start_keras") as start,
    ):
        _start_worker(7, 2, warned)
    watch.assert_called_once_with(7)
    start.assert_called_once_with(2)
    assert len(caught(warn_if_slow, "bfloat16")) == (not warned)
    assert has_warned()
