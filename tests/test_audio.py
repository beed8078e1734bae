"""From a file to a waveform, and from there to one that is cut, levelled and padded."""

import struct

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from skser.audio import _percentile, check_waveform, load_audio, prepare_waveform, read_audio
from skser.exceptions import AudioError, AudioFileError, SkserError, TruncatedAudioWarning


def wav_bytes(samples, *, promised=None, before_data=b""):
    """Write a 16-bit mono WAV of 16 kHz by hand, with any size in its data chunk."""
    data = np.asarray(samples, "<i2").tobytes()
    size = len(data) if promised is None else promised
    chunks = b"fmt " + struct.pack("<IHHIIHH", 16, 1, 1, 16000, 32000, 2, 16)
    chunks += before_data + b"data" + struct.pack("<I", size) + data
    return b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WAVE" + chunks


# --- reading ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "subtype", "tolerance"),
    [
        ("voice.wav", "PCM_U8", 2**-7),
        ("voice.wav", "PCM_16", 2**-15),
        ("voice.wav", "PCM_24", 2**-23),
        ("voice.wav", "PCM_32", 2**-23),
        ("voice.wav", "FLOAT", 2**-24),
        ("voice.wav", "DOUBLE", 2**-24),
        ("voice.wav", "ULAW", 0.03),
        ("voice.flac", "PCM_16", 2**-15),
        ("voice.flac", "PCM_24", 2**-23),
    ],
)
def test_every_bit_depth_gives_the_same_samples(write_audio, voice, name, subtype, tolerance):
    waveform = load_audio(write_audio(name, subtype=subtype))
    assert waveform.dtype == np.float32
    np.testing.assert_allclose(waveform, voice(0.5, 16000), rtol=0, atol=tolerance)


@pytest.mark.parametrize("channels", [1, 2, 3, 6])
def test_channels_are_averaged(write_audio, voice, channels):
    waveform = load_audio(write_audio(channels=channels, subtype="FLOAT"))
    np.testing.assert_allclose(waveform, voice(0.5, 16000), rtol=0, atol=1e-6)


@pytest.mark.parametrize("sample_rate", [22050, 44100, 48000, 96000])
def test_other_rates_are_resampled(write_audio, voice, sample_rate):
    waveform = load_audio(write_audio(sample_rate=sample_rate, subtype="FLOAT"))
    inner = slice(800, -800)  # the resampling filter rings at the ends
    expected = voice(0.5, 16000)
    assert waveform.dtype == np.float32
    assert waveform.shape == expected.shape
    np.testing.assert_allclose(waveform[inner], expected[inner], rtol=0, atol=1e-3)


def test_the_sample_rate_can_be_chosen(write_audio):
    path = write_audio(sample_rate=16000)
    assert load_audio(path, sample_rate=8000).shape == (4000,)
    assert load_audio(str(path), sample_rate=16000).shape == (8000,)


@pytest.mark.parametrize("name", ["voice.ogg", "voice.mp3"])
def test_lossy_formats_sound_the_same(write_audio, voice, name):
    waveform = load_audio(write_audio(name, compression_level=0.0))
    expected = voice(0.5, 16000)
    assert waveform.shape == expected.shape
    assert np.corrcoef(waveform, expected)[0, 1] > 0.98


@pytest.mark.parametrize("suffix", ["wav", "flac"])
def test_a_part_of_a_recording_is_that_part(write_audio, suffix):
    path = write_audio(f"voice.{suffix}", duration=0.5)
    whole = load_audio(path)
    for start, end, expected in [
        (0.1, 0.2, whole[1600:3200]),
        (0.1, None, whole[1600:]),
        (0.0, 0.2, whole[:3200]),
        (0.4, 9.0, whole[6400:]),
    ]:
        part, truncated = read_audio(path, sample_rate=16000, start=start, end=end)
        np.testing.assert_array_equal(part, expected)
        assert truncated is None
    with pytest.raises(AudioFileError, match="has no samples"):
        read_audio(path, sample_rate=16000, start=0.5)


# --- files that cannot be used ---------------------------------------------------------------


def refuses(path, reason):
    return pytest.raises(AudioFileError, match=rf"The recording '.*{path.name}' {reason}")


def test_missing_file(tmp_path):
    path = tmp_path / "gone.wav"
    with refuses(path, "does not exist or is out of reach; check the path"):
        load_audio(path)


@pytest.mark.parametrize("name", ["a\0b", "x" * 5000], ids=["null byte", "too long"])
def test_names_that_no_file_can_have(name):
    with pytest.raises(AudioFileError, match="does not exist or is out of reach"):
        load_audio(name)


def test_folder(tmp_path):
    with refuses(tmp_path, "is a folder; give the files inside it"):
        load_audio(tmp_path)


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("empty.wav", b"", r"is empty \(0 bytes\)"),
        ("text.wav", b"This is a transcript.\n" * 100, "cannot be read as WAV, FLAC, OGG or MP3"),
        ("bytes.raw", bytes(1000), "cannot be read as WAV, FLAC, OGG or MP3"),
        ("no_samples.wav", wav_bytes([]), "has no samples; remove it from the list"),
    ],
)
def test_files_without_sound(tmp_path, name, content, reason):
    path = tmp_path / name
    path.write_bytes(content)
    with refuses(path, reason):
        load_audio(path)


@pytest.mark.parametrize("length", range(1, 46))
def test_file_cut_inside_its_header_or_first_sample(tmp_path, length):
    path = tmp_path / "cut.wav"
    path.write_bytes(wav_bytes(range(100))[:length])
    with refuses(path, "(cannot be read as WAV, FLAC, OGG or MP3: .+|has no samples)"):
        load_audio(path)


def test_flac_that_promises_more_than_memory_holds(write_audio):
    path = write_audio("huge.flac")
    content = bytearray(path.read_bytes())
    content[21] |= 0x0F  # 36 bits of the stream header count the samples
    content[22:26] = b"\xff" * 4
    path.write_bytes(content)
    with refuses(path, "cannot be read as WAV, FLAC, OGG or MP3: .+"):
        load_audio(path)


@pytest.mark.parametrize("sample_rate", [8000, 16000])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_samples_that_are_not_finite(write_audio, bad, sample_rate):
    samples = np.zeros((100, 2))
    samples[50, 1] = bad
    path = write_audio(samples=samples, sample_rate=sample_rate, subtype="FLOAT")
    with refuses(path, "holds NaN or infinite samples; write it anew from its source"):
        load_audio(path)


@pytest.mark.parametrize("samples", [np.full((99, 2), 3e38), np.resize([3.3e38, -3.3e38], 99)])
def test_mixing_and_resampling_that_overflow(write_audio, samples):
    path = write_audio(samples=samples, sample_rate=8000, subtype="FLOAT")
    with refuses(path, "holds NaN or infinite samples"):
        load_audio(path)


def test_errors_are_of_the_package_and_of_the_built_in_kind():
    assert issubclass(AudioFileError, SkserError)
    assert issubclass(AudioFileError, OSError)
    assert issubclass(AudioError, SkserError)
    assert issubclass(AudioError, ValueError)


@pytest.fixture(scope="module")
def scratch(tmp_path_factory):
    return tmp_path_factory.mktemp("bytes")


@pytest.fixture(scope="module")
def valid_contents(scratch, voice):
    """Return a short recording of each format, as bytes."""
    contents = {}
    for suffix in (".wav", ".flac", ".ogg", ".mp3"):
        soundfile.write(scratch / f"valid{suffix}", voice(0.02, 16000), 16000)
        contents[suffix] = (scratch / f"valid{suffix}").read_bytes()
    return contents


def reads_or_refuses(path, content):
    path.write_bytes(content)
    try:
        waveform = load_audio(path)
    except AudioFileError:
        return
    assert waveform.dtype == np.float32
    assert waveform.ndim == 1
    assert len(waveform)
    assert np.isfinite(waveform).all()


@pytest.mark.filterwarnings("ignore::skser.exceptions.TruncatedAudioWarning")
@given(
    content=st.binary(max_size=300),
    suffix=st.sampled_from([".wav", ".flac", ".ogg", ".mp3", ".raw", ".aiff", ".txt", ""]),
    marker=st.sampled_from(
        [b"", b"RIFF\x24\0\0\0WAVE", b"fLaC", b"OggS\0", b"ID3\4\0", b"\xff\xfb"]
    ),
)
def test_any_bytes_are_read_or_refused(scratch, content, suffix, marker):
    reads_or_refuses(scratch / f"any{suffix}", marker + content)


@pytest.mark.filterwarnings("ignore::skser.exceptions.TruncatedAudioWarning")
@given(data=st.data(), suffix=st.sampled_from([".wav", ".flac", ".ogg", ".mp3"]))
def test_damaged_files_are_read_or_refused(scratch, valid_contents, data, suffix):
    content = bytearray(valid_contents[suffix])
    # byte 24 to 27 of a WAV are its rate: a day of sound, at 1 Hz, is not tested here
    places = st.integers(0, len(content) - 1).filter(lambda at: at not in range(24, 28))
    for at, value in data.draw(st.lists(st.tuples(places, st.integers(0, 255)), max_size=5)):
        content[at] = value
    end = data.draw(st.integers(1, len(content)))
    reads_or_refuses(scratch / f"damaged{suffix}", content[:end])


# --- recordings shorter than they promise ----------------------------------------------------


@pytest.mark.parametrize("missing", [1, 2, 101, 198])
def test_truncated_wav_warns_and_is_read(tmp_path, missing):
    path = tmp_path / "truncated.wav"
    path.write_bytes(wav_bytes(range(100))[:-missing])
    with pytest.warns(
        TruncatedAudioWarning,
        match=rf"The recording '.*truncated.wav' is cut short: {missing} bytes of samples",
    ) as caught:
        waveform = load_audio(path)
    assert len(waveform) == (200 - missing) // 2
    assert caught[0].filename == __file__


@pytest.mark.parametrize(
    "promised", [0xFFFFFFFF, 0x7FFFFFFF, 0x7FFFF000], ids=["ffmpeg", "unknown", "SoX"]
)
def test_streamed_wav_does_not_warn(tmp_path, promised):
    path = tmp_path / "streamed.wav"
    path.write_bytes(wav_bytes(range(100), promised=promised))
    assert len(load_audio(path)) == 100


@pytest.mark.parametrize("length", [26, 27])
def test_chunks_before_the_samples_are_skipped(tmp_path, length):
    note = b"LIST" + struct.pack("<I", length) + b"i" * length + b"\0" * (length % 2)
    content = wav_bytes(range(100), before_data=note)
    path = tmp_path / "listed.wav"
    path.write_bytes(content)
    np.testing.assert_array_equal(load_audio(path) * 2**15, np.arange(100))
    path.write_bytes(content[:-10])
    with pytest.warns(TruncatedAudioWarning, match="10 bytes of samples"):
        assert len(load_audio(path)) == 95


def test_chunks_behind_the_samples_do_not_warn(tmp_path):
    path = tmp_path / "tagged.wav"
    path.write_bytes(wav_bytes(range(100)) + b"LIST" + struct.pack("<I", 4) + b"INFO")
    assert len(load_audio(path)) == 100


# --- waveforms in memory ---------------------------------------------------------------------


def test_pcm_integers_are_scaled():
    for kind, full in ((np.int16, 2**15), (np.int32, 2**31)):
        waveform = check_waveform(np.array([-full, 0, full // 2], dtype=kind))
        assert waveform.dtype == np.float32
        assert waveform.tolist() == [-1, 0, 0.5]


def test_float_waveforms_keep_their_samples():
    samples = np.array([0.5, -2.0], dtype=np.float32)
    assert check_waveform(samples) is samples
    assert check_waveform([0.5, -2]).tolist() == [0.5, -2]
    assert check_waveform(samples.astype(float)).dtype == np.float32


@pytest.mark.parametrize(
    ("samples", "message"),
    [
        (np.ones((2, 3)), r"must have shape \(n_timestamps,\)\. Got \(2, 3\) instead"),
        (1.0, r"must have shape \(n_timestamps,\)\. Got \(\) instead"),
        ([], r"must have at least one sample\. Got none"),
        (["a"], r"must hold real numbers\. Got dtype <U1 instead"),
        ([1j], r"must hold real numbers\. Got dtype complex128 instead"),
        ([0.0, np.nan], r"must hold finite numbers\. Got NaN or infinity"),
        ([0.0, 1e39], r"must hold finite numbers\. Got NaN or infinity"),
    ],
)
def test_waveforms_that_cannot_be_used(samples, message):
    with pytest.raises(AudioError, match=f"^The waveform {message}"):
        check_waveform(samples)


# --- cut, level, pad -------------------------------------------------------------------------


def prepare(samples, **options):
    return prepare_waveform(np.array(samples, dtype=np.float32), **options).tolist()


@pytest.mark.parametrize(
    ("length", "n_samples", "expected"),
    [
        (7, 4, [1, 2, 3, 4]),  # three too many: floor(3 / 2) = 1 goes in front
        (8, 4, [2, 3, 4, 5]),
        (7, 3, [2, 3, 4]),
        (5, 4, [0, 1, 2, 3]),
        (3, 3, [0, 1, 2]),
    ],
)
def test_cut_keeps_the_middle(length, n_samples, expected):
    assert prepare(range(length), n_samples=n_samples, level=None) == expected


@pytest.mark.parametrize(
    ("samples", "n_samples", "expected"),
    [
        ([5, 6], 5, [0, 5, 6, 0, 0]),  # three missing: floor(3 / 2) = 1 goes in front
        ([5, 6], 6, [0, 0, 5, 6, 0, 0]),
        ([5, 6, 7], 4, [5, 6, 7, 0]),
        ([5], 4, [0, 5, 0, 0]),
    ],
)
def test_pad_puts_the_floor_of_a_half_in_front(samples, n_samples, expected):
    assert prepare(samples, n_samples=n_samples, level=None) == expected


def test_length_is_kept_without_a_duration_but_for_one_frame():
    assert prepare([5, 6], n_samples=None, level=None) == [5, 6]
    assert prepare([5, 6], n_samples=None, min_samples=3, level=None) == [5, 6, 0]


def test_level_sees_what_was_cut_and_nothing_else():
    # The loud ends are cut away first; the padding of zeros comes last.
    assert prepare([9, 1, -2, 9], n_samples=2, level="peak") == [0.5, -1]
    percentile = np.float32(1 + 0.999)  # of 1 and 2, by linear interpolation
    expected = [np.float32(1) / percentile, -1]  # 2 / 1.999 is clipped
    assert prepare([9, 1, -2, 9], n_samples=2) == expected
    assert prepare([1, -2], n_samples=5) == [0, *expected, 0, 0]


def test_percentile_interpolates_and_clips():
    # The 99.9th percentile of 0, 1, 2, 3, 4 lies at 0.999 of the way: 3.996.
    np.testing.assert_allclose(
        prepare([0, 1, 2, 3, -4], n_samples=None), [0, 1 / 3.996, 2 / 3.996, 3 / 3.996, -1], 1e-6
    )


@given(
    length=st.integers(1, 20_000), n_values=st.sampled_from([1, 2, 50, 2**15]), seed=st.integers()
)
def test_percentile_is_exactly_numpys(length, n_values, seed):
    generator = np.random.default_rng(abs(seed))
    magnitude = (generator.integers(n_values, size=length) / 2**15).astype(np.float32)
    scale = _percentile(magnitude)
    assert scale.dtype == np.float32
    assert scale == np.float32(np.percentile(magnitude, 99.9))


def test_level_none_keeps_the_level():
    assert prepare([0.25, -3], n_samples=None, level=None) == [0.25, -3]


@pytest.mark.parametrize("level", ["percentile", "peak", None])
def test_silence_stays_silent(level):
    assert prepare([0, 0, 0], n_samples=None, level=level) == [0, 0, 0]


def test_a_click_in_silence_is_levelled_by_its_peak():
    click = [0] * 1999 + [0.25]
    assert prepare(click, n_samples=None) == [0] * 1999 + [1]


def test_the_input_is_left_alone():
    waveform = np.array([1, -2, 3], dtype=np.float32)
    for level in ("percentile", "peak", None):
        prepare_waveform(waveform, n_samples=2, level=level)
    assert waveform.tolist() == [1, -2, 3]
