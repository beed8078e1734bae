"""Plain WAV files are read without libsndfile, and give what it gives."""

import struct

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from skser._wav import read_plain_wav


@pytest.mark.parametrize("channels", [1, 2, 5])
def test_samples_are_those_of_libsndfile(write_audio, channels):
    pcm = np.random.default_rng(0).integers(-(2**15), 2**15, (999, channels)).astype(np.int16)
    pcm[:2] = [[-(2**15)], [2**15 - 1]]
    path = write_audio(samples=pcm, sample_rate=22050, subtype="PCM_16")
    samples, rate = read_plain_wav(path)
    expected, expected_rate = soundfile.read(path, dtype="float32", always_2d=True)
    assert rate == expected_rate == 22050
    assert samples.dtype == np.float32
    np.testing.assert_array_equal(samples, expected)


@pytest.mark.parametrize(
    ("name", "subtype"),
    [("voice.wav", "PCM_24"), ("voice.wav", "FLOAT"), ("voice.wav", "ULAW"), ("voice.flac", None)],
)
def test_other_kinds_are_left_to_libsndfile(write_audio, name, subtype):
    assert read_plain_wav(write_audio(name, subtype=subtype)) is None


def test_no_file_is_left_to_libsndfile(tmp_path):
    assert read_plain_wav(tmp_path / "gone.wav") is None
    assert read_plain_wav(tmp_path) is None


@pytest.fixture(scope="module")
def scratch(tmp_path_factory):
    return tmp_path_factory.mktemp("wav") / "damaged.wav"


@given(
    changes=st.lists(st.tuples(st.integers(0, 43), st.integers(0, 255)), max_size=3),
    fields=st.lists(
        st.tuples(
            st.sampled_from([4, 16, 22, 24, 28, 32, 34, 40]), st.sampled_from([0, 1, 2, 16, 36])
        ),
        max_size=2,
    ),
    end=st.one_of(st.none(), st.integers(0, 243)),
    behind=st.binary(max_size=3),
)
def test_of_damaged_files_only_what_libsndfile_reads_alike(scratch, changes, fields, end, behind):
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 2, 16000, 64000, 4, 16)
    data = np.arange(100, dtype="<i2").tobytes()
    content = bytearray(b"RIFF" + struct.pack("<I", 236) + b"WAVE" + form)
    content += b"data" + struct.pack("<I", 200) + data
    for at, value in [*fields, *changes]:
        content[at] = value
    scratch.write_bytes(bytes(content[:end]) + behind)
    if (plain := read_plain_wav(scratch)) is not None:
        samples, rate = soundfile.read(scratch, dtype="float32", always_2d=True)
        np.testing.assert_array_equal(plain[0], samples)
        assert plain[1] == rate
