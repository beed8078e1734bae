"""A batch that does not fit is refused before anything is trained."""

import re

import numpy as np
import pytest

from skser import Augmentation, LightSERNetClassifier
from skser._memory import check_batch_fits
from skser.exceptions import TrainingError

LABELS = np.tile([0, 1], 50)


@pytest.fixture
def mfcc():
    return np.zeros((100, 200, 40), np.float32)


@pytest.fixture
def meminfo(tmp_path, monkeypatch):
    """Let the system say that 100 MB are free."""
    path = tmp_path / "meminfo"
    path.write_text("MemTotal:  9000000 kB\nMemFree:  1 kB\nMemAvailable:  100000 kB\n")
    monkeypatch.setattr("skser._memory._MEMINFO", path)
    return path


def test_refuses_what_does_not_fit(mfcc, meminfo, monkeypatch):
    monkeypatch.setattr("skser.classifier.train", lambda *_, **__: pytest.fail("trained"))
    message = "step on 100 utterances of 200 frames takes about 0.9 GiB of memory, and 0.1 are free"
    with pytest.raises(TrainingError, match=re.escape(message)):
        LightSERNetClassifier(batch_size=128).fit(mfcc, LABELS)


@pytest.mark.parametrize(
    ("batch_size", "augment", "precision", "fits"),
    [
        (10, None, "float32", True),  # 10 x 200 x 40 x 1200 bytes = 96 MB
        (13, None, "float32", False),
        (13, None, "bfloat16", True),
        (13, Augmentation(n_frames=100), "float32", True),
        (13, Augmentation(n_frames=None), "float32", False),
    ],
)
def test_knows_what_fits(mfcc, meminfo, batch_size, augment, precision, fits):
    for X in (mfcc, list(mfcc)):
        if fits:
            check_batch_fits(X, augment, batch_size=batch_size, precision=precision)
        else:
            with pytest.raises(TrainingError, match="lower the 'batch_size' parameter"):
                check_batch_fits(X, augment, batch_size=batch_size, precision=precision)


def test_counts_the_batches_that_will_be_made(meminfo):
    """A long utterance does not share a batch with short ones."""
    X = [np.zeros((n_frames, 40), np.float32) for n_frames in [10] * 99 + [2000]]
    check_batch_fits(X, None, batch_size=32, precision="float32")
    with pytest.raises(TrainingError, match="step on 1 utterances of 3000 frames"):
        check_batch_fits([*X, np.zeros((3000, 40))], None, batch_size=32, precision="float32")


@pytest.mark.parametrize("content", [None, "MemTotal: 1 kB\n"])
def test_trusts_the_user_where_the_system_is_silent(mfcc, meminfo, content):
    meminfo.unlink() if content is None else meminfo.write_text(content)
    check_batch_fits(mfcc, None, batch_size=10**6, precision="float32")
