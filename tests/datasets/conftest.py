"""Miniature EMO-DB folders."""

import numpy as np
import pytest
import soundfile as sf

MINI_NAMES = ("03a01Fa.wav", "03a01Wa.wav", "08b10Nc.wav", "16a07Lb.wav", "16b09Eb.wav")


@pytest.fixture
def write_wav():
    """Write a short tone; each `seed` gives other samples."""

    def write(path, duration=0.1, sample_rate=16000, seed=0):
        time = np.arange(round(duration * sample_rate)) / sample_rate
        path.parent.mkdir(parents=True, exist_ok=True)
        sf.write(path, 0.5 * np.sin(2 * np.pi * (200 + seed) * time), sample_rate, "PCM_16")
        return path

    return write


@pytest.fixture
def mini_emodb(tmp_path, write_wav):
    """Five recordings by the names of EMO-DB, in the official layout."""
    for seed, name in enumerate(MINI_NAMES):
        write_wav(tmp_path / "emodb" / "wav" / name, duration=0.1 * (seed + 1), seed=seed)
    return tmp_path / "emodb"
