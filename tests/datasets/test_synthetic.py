"""The synthetic corpus: deterministic, speech-like, and neither trivial nor hopeless."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.fft import dct
from scipy.signal import stft
from sklearn.metrics import balanced_accuracy_score
from sklearn.model_selection import LeaveOneGroupOut, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier

from skser.datasets import load_emodb, make_emotional_speech
from skser.datasets._phonemes import PHONEMES, TEXTS, to_segments
from skser.datasets._synthesis import Voice, speak

ALL = ["anger", "boredom", "disgust", "fear", "happiness", "neutral", "sadness"]
PLAIN = {
    "pitch": 120.0,
    "accent": 0.0,
    "slope": 0.0,
    "final": 0.0,
    "tempo": 1.0,
    "pausing": 1.0,
    "level": -26.0,
    "emphasis": 0.0,
    "tilt": 0.3,
    "breath": -30.0,
    "jitter": 0.0,
    "tremor": 0.0,
    "open_quotient": 0.6,
    "tract": 1.0,
    "articulation": 1.0,
}


@pytest.fixture(scope="module")
def corpus():
    return make_emotional_speech()


@pytest.fixture(scope="module")
def small():
    return make_emotional_speech(2, n_utterances=1)


# --- what is in it ---------------------------------------------------------------------------


def test_every_speaker_speaks_every_text_in_every_emotion(corpus):
    assert len(corpus.data) == 10 * 7 * 4
    assert corpus.target_names == ALL
    counts = corpus.frame.groupby(["speaker", "label", "text"]).size()
    assert len(counts) == 10 * 7 * 4
    assert (counts == 1).all()
    assert corpus.frame["text"].unique().tolist() == ["t01", "t02", "t03", "t04"]
    assert (
        corpus.frame.groupby("speaker")["gender"].unique().map(list).tolist()
        == [
            ["female"],
            ["male"],
        ]
        * 5
    )
    assert corpus.name == "synthetic"
    assert "says nothing about people" in corpus.DESCR


def test_waveforms_are_sound_as_promised(corpus):
    for waveform, duration in zip(corpus.data, corpus.frame["duration"], strict=True):
        assert waveform.dtype == np.float32
        assert waveform.ndim == 1
        assert len(waveform) / 16000 == duration
        assert 1.2 <= duration <= 3.5
        assert np.isfinite(waveform).all()
        assert 0.02 < np.abs(waveform).max() < 1


def test_texts_repeat_after_ten():
    bunch = make_emotional_speech(1, n_utterances=12, emotions=["fear"])
    assert bunch.frame["text"].tolist() == [*TEXTS, "t01", "t02"]
    assert bunch.frame["file"].tolist()[-2:] == ["s01_t01_fear_2.wav", "s01_t02_fear_2.wav"]
    assert not np.array_equal(bunch.data[0], bunch.data[10])


# --- seeds -----------------------------------------------------------------------------------


def assert_same(these, those):
    assert len(these) == len(those)
    for this, that in zip(these, those, strict=True):
        np.testing.assert_array_equal(this, that)


def test_same_seed_same_waveforms(small):
    assert_same(make_emotional_speech(2, n_utterances=1).data, small.data)
    assert_same(make_emotional_speech(2, n_utterances=1, random_state=0).data, small.data)
    state = np.random.RandomState(0)
    assert_same(make_emotional_speech(2, n_utterances=1, random_state=state).data, small.data)


def test_other_seed_other_waveforms(small):
    other = make_emotional_speech(2, n_utterances=1, random_state=1)
    assert not any(
        np.array_equal(a[:1000], b[:1000]) for a, b in zip(small.data, other.data, strict=True)
    )


def test_no_seed_gives_another_corpus_each_time():
    one, two = (
        make_emotional_speech(1, n_utterances=1, emotions=["fear"], random_state=None).data[0]
        for _ in range(2)
    )
    assert not np.array_equal(one[:1000], two[:1000])


def test_an_utterance_does_not_depend_on_what_else_is_asked_for(corpus, small):
    files = corpus.frame["file"].tolist()
    assert_same([corpus.data[files.index(file)] for file in small.frame["file"]], small.data)
    fear = make_emotional_speech(1, n_utterances=2, emotions=["fear"])
    assert_same([corpus.data[files.index(file)] for file in fear.frame["file"]], fear.data)


def test_no_two_utterances_are_alike(corpus):
    assert len({waveform[4000:12000].tobytes() for waveform in corpus.data}) == len(corpus.data)


# --- files -----------------------------------------------------------------------------------


def test_files_hold_the_same_samples(tmp_path, small):
    out = tmp_path / "a" / "b"
    bunch = make_emotional_speech(2, n_utterances=1, out=out)
    assert bunch.data == [str(out / file) for file in small.frame["file"]]
    assert sorted(path.name for path in out.iterdir()) == sorted(small.frame["file"])
    assert sf.info(bunch.data[0]).subtype == "PCM_16"
    assert_same([sf.read(path, dtype="float32")[0] for path in bunch.data], small.data)
    assert bunch.frame.equals(small.frame)


def test_writing_again_gives_the_same_files(tmp_path):
    def write():
        bunch = make_emotional_speech(1, n_utterances=1, emotions=["anger"], out=str(tmp_path))
        return [Path(path).read_bytes() for path in bunch.data]

    assert write() == write()


@pytest.mark.parametrize("sample_rate", [8000, 11025, 44100, 48000])
def test_sample_rates(tmp_path, sample_rate):
    bunch = make_emotional_speech(
        1, n_utterances=1, emotions=["happiness"], sample_rate=sample_rate, out=tmp_path
    )
    header = sf.info(bunch.data[0])
    assert header.samplerate == sample_rate
    assert header.frames / sample_rate == bunch.frame["duration"][0]
    assert 1.2 <= bunch.frame["duration"][0] <= 3.5


# --- how hard it is --------------------------------------------------------------------------


def cepstral_statistics(waveform):
    """Means and standard deviations of 16 cepstral coefficients of 24 mel-like bands."""
    spectrum = np.abs(stft(waveform, nperseg=512, noverlap=256)[2]) ** 2
    edges = np.unique(np.round(257 * (np.expm1(np.linspace(0, 2.4, 25)) / np.expm1(2.4))))
    bands = [spectrum[int(a) : int(b)].mean(axis=0) for a, b in pairwise(edges)]
    cepstra = dct(np.log(np.array(bands) + 1e-9), axis=0, norm="ortho")[:16]
    return np.concatenate([cepstra.mean(axis=1), cepstra.std(axis=1)])


def speaker_independent_uar(classifier, X, corpus):
    predicted = cross_val_predict(
        classifier, X, corpus.target, groups=corpus.groups, cv=LeaveOneGroupOut()
    )
    return balanced_accuracy_score(corpus.target, predicted)


def test_classes_overlap_but_can_be_told_apart(corpus):
    X = np.array([cepstral_statistics(waveform) for waveform in corpus.data])
    model = make_pipeline(StandardScaler(), SVC(kernel="linear", C=0.1))
    assert 0.45 < speaker_independent_uar(model, X, corpus) < 0.85


def test_no_single_statistic_gives_the_emotion_away(corpus):
    X = np.array(
        [
            [len(w), np.std(w), np.abs(w).max(), np.std(np.diff(w)) / np.std(w), *cepstra]
            for w, cepstra in zip(corpus.data, map(cepstral_statistics, corpus.data), strict=True)
        ]
    )
    tree = DecisionTreeClassifier(max_depth=4, random_state=0)
    best = max(speaker_independent_uar(tree, X[:, [j]], corpus) for j in range(X.shape[1]))
    assert best < 0.5


def test_speakers_differ_and_emotions_do_what_they_should(corpus):
    frame = corpus.frame.assign(level=[20 * np.log10(np.std(w)) for w in corpus.data])
    level = frame.groupby("label")["level"].mean()
    assert level["anger"] > level["neutral"] + 3
    assert level["sadness"] < level["neutral"] - 2
    duration = frame.groupby("label")["duration"].mean()
    assert duration["sadness"] > duration["neutral"] > duration["fear"]


# --- the synthesiser -------------------------------------------------------------------------


def autocorrelation_pitch(waveform, sample_rate=16000):
    """Most frequent pitch of the voiced frames, in Hz."""
    found = []
    for start in range(0, len(waveform) - 1024, 512):
        frame = waveform[start : start + 1024] * np.hanning(1024)
        if np.std(frame) > 0.3 * np.std(waveform):
            r = np.fft.irfft(np.abs(np.fft.rfft(frame, 2048)) ** 2)
            lag = 32 + np.argmax(r[32:270])
            found.append(sample_rate / lag)
    return np.median(found)


@pytest.mark.parametrize("pitch", [90.0, 120.0, 200.0, 260.0])
def test_pitch_is_what_was_asked_for(pitch):
    voice = Voice(**PLAIN | {"pitch": pitch})
    waveform = speak(TEXTS["t05"], voice, sample_rate=16000, rng=np.random.default_rng(0))
    assert autocorrelation_pitch(waveform) == pytest.approx(pitch, rel=0.06)


@pytest.mark.parametrize(("vowel", "low", "high"), [("a", 600, 900), ("i", 200, 420)])
def test_vowels_have_their_first_formant(vowel, low, high):
    voice = Voice(**PLAIN | {"pitch": 80.0})
    waveform = speak(f"{vowel} " * 9, voice, sample_rate=16000, rng=np.random.default_rng(0))
    spectrum = np.abs(np.fft.rfft(waveform[4000:12000] * np.hanning(8000)))
    frequency = np.fft.rfftfreq(8000, 1 / 16000)
    # An envelope over 160 Hz, two harmonics, with the source's fall of 6 dB an octave undone.
    envelope = np.convolve(spectrum * frequency, np.ones(81) / 81, mode="same")
    band = (frequency > 150) & (frequency < 1000)
    assert low < frequency[band][np.argmax(envelope[band])] < high


def test_pauses_are_quiet():
    rng = np.random.default_rng(0)
    waveform = speak("'la | 'la", Voice(**PLAIN | {"pausing": 3.0}), sample_rate=16000, rng=rng)
    rms = np.array([np.std(piece) for piece in np.array_split(waveform, len(waveform) // 160)])
    middle = rms[len(rms) // 3 : 2 * len(rms) // 3]
    assert middle.min() < 0.01 * rms.max()


@settings(max_examples=25, deadline=None)
@given(
    values=st.fixed_dictionaries(
        {
            "pitch": st.floats(50, 600),
            "accent": st.floats(0, 24),
            "slope": st.floats(-12, 12),
            "final": st.floats(-12, 12),
            "tempo": st.floats(0.2, 5),
            "pausing": st.floats(0, 10),
            "level": st.floats(-60, 0),
            "emphasis": st.floats(0, 20),
            "tilt": st.floats(0, 0.99),
            "breath": st.floats(-80, 20),
            "jitter": st.floats(0, 0.05),
            "tremor": st.floats(0, 3),
            "open_quotient": st.floats(0.2, 0.95),
            "tract": st.floats(0.8, 1.4),
            "articulation": st.floats(0.3, 2),
        }
    ),
    text=st.lists(st.sampled_from([*TEXTS.values()]), min_size=1, max_size=2).map(" ".join),
    sample_rate=st.sampled_from([8000, 16000, 22050]),
)
def test_any_voice_gives_a_finite_waveform_of_bounded_length(values, text, sample_rate):
    rng = np.random.default_rng(0)
    waveform = speak(text, Voice(**values), sample_rate=sample_rate, rng=rng)
    assert np.isfinite(waveform).all()
    assert np.abs(waveform).max() <= 0.98 + 1e-12
    assert 1.2 <= len(waveform) / sample_rate <= 3.5


def test_texts_are_made_of_known_sounds():
    assert len(TEXTS) == 10
    for text in TEXTS.values():
        assert 7 <= sum(segment.is_vowel for segment in to_segments(text)) <= 11
        assert any(segment.stressed for segment in to_segments(text))
        assert set(text) <= {*PHONEMES, "'", " ", "|"}


# --- parameters ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"n_speakers": 0}, "'n_speakers' parameter of make_emotional_speech must be an int in"),
        ({"n_speakers": 2.5}, "'n_speakers' parameter"),
        ({"n_utterances": 0}, "'n_utterances' parameter"),
        ({"sample_rate": 4000}, r"'sample_rate' parameter .* \[8000, 48000\]. Got 4000"),
        ({"out": 3}, "'out' parameter"),
        ({"random_state": "x"}, "'random_state' parameter"),
        ({"emotions": "anger"}, "'emotions' parameter"),
        ({"emotions": []}, r"must be one or more of anger, .* Got \[\] instead"),
        ({"emotions": ["joy"]}, r"Got \['joy'\] instead"),
        ({"emotions": ["fear", "fear"]}, "each once"),
        ({"emotions": [["fear"]]}, r"Got \[\['fear'\]\] instead"),
    ],
)
def test_parameters_are_checked(parameters, message):
    with pytest.raises(ValueError, match=message):
        make_emotional_speech(**parameters)


def test_emotions_may_be_any_array_like():
    bunch = make_emotional_speech(1, n_utterances=1, emotions=np.array(["sadness", "fear"]))
    assert bunch.target.tolist() == ["fear", "sadness"]


def test_one_program_reads_this_corpus_and_emodb(emodb_root, corpus):
    """Names of emotions and columns agree, so that one program reads both."""
    real = load_emodb(emodb_root)
    assert real.target_names == corpus.target_names
    assert real.frame.columns.tolist() == corpus.frame.columns.tolist()
    assert real.frame.dtypes.tolist() == corpus.frame.dtypes.tolist()
