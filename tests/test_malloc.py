"""Freed memory is kept from batch to batch, and given back after the last one."""

import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from skser import LightSERNetClassifier, _malloc, training

pytestmark = pytest.mark.skipif(
    _malloc._glibc() is None, reason="the C library is not glibc; nothing is done there"
)

# In a process of its own, whose memory no other test has shaped. Writing a block touches its pages.
SCRIPT = """
from contextlib import nullcontext
from pathlib import Path
from resource import RUSAGE_SELF, getrusage
from skser._malloc import freed_memory_kept

def count_faults(context):
    with context:
        b"x" * 2**26
        before = getrusage(RUSAGE_SELF).ru_minflt
        for _ in range(10):
            b"x" * 2**26
        return getrusage(RUSAGE_SELF).ru_minflt - before

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1])

start = resident()
usual = count_faults(nullcontext())
kept = count_faults(freed_memory_kept())
with freed_memory_kept():
    nested = count_faults(freed_memory_kept())
    still = count_faults(nullcontext())
after = count_faults(nullcontext())
print(usual, kept, nested, still, after, resident() - start)
"""


def run(**environment):
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], env=environment, capture_output=True, text=True, check=True
    )
    return map(int, done.stdout.split())


def test_blocks_are_kept_inside_and_given_back_after():
    usual, kept, nested, still, after, grown = run()
    assert kept < usual / 10
    assert nested < usual / 10
    assert still < usual / 10  # the inner block did not end the outer one's
    assert after > usual / 2
    assert grown < 2**24 / 4096  # pages; a block has four times as many


@pytest.mark.parametrize(
    "setting",
    [
        {"MALLOC_TRIM_THRESHOLD_": "131072"},
        {"GLIBC_TUNABLES": "glibc.malloc.mmap_threshold=131072"},
    ],
)
def test_a_setting_of_the_user_stays(setting):
    usual, kept, *_ = run(**setting)
    assert kept > usual / 2


def test_another_setting_of_the_user_does_not_matter():
    usual, kept, *_ = run(MALLOC_ARENA_MAX="1")
    assert kept < usual / 10


@pytest.mark.parametrize(("n", "kept"), [(1, 0), (10, 1)])  # of 5 s: 4.9 MB each in Body I
def test_a_prediction_keeps_its_memory_if_its_blocks_are_large(monkeypatch, n, kept):
    monkeypatch.setattr(_malloc, "_is_set_by_user", lambda: False)
    users = []

    def forward(network):
        def predict(mfcc):
            users.append(_malloc._users)
            return np.full((len(mfcc), 2), 0.5, np.float32)

        return predict

    monkeypatch.setattr(training, "make_forward", forward)
    network = SimpleNamespace(output_shape=(None, 2), input_shape=(None, None, 40))
    training.predict(network, np.zeros((n, 320, 40), np.float32), batch_size=8)
    assert set(users) == {kept}
    assert _malloc._users == 0


def test_a_training_keeps_its_memory_even_if_it_fails_and_gives_it_back(monkeypatch):
    monkeypatch.setattr(_malloc, "_is_set_by_user", lambda: False)
    users = []

    def judge(network):
        users.append(_malloc._users)
        return 1 / (2 - len(users))  # the second epoch fails

    X = np.random.default_rng(0).normal(size=(4, 20, 40)).astype(np.float32)
    with pytest.raises(ZeroDivisionError, match="division by zero"):
        LightSERNetClassifier(epochs=3)._fit(X, [0, 1, 0, 1], judge=judge)
    assert users == [1, 1]
    assert _malloc._users == 0
