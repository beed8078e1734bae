"""A corpus of synthetic emotional speech, for tests, examples and trying things out."""

from collections.abc import Sequence
from dataclasses import astuple, dataclass
from numbers import Integral
from os import PathLike
from pathlib import Path

import numpy as np
import pandas as pd
import soundfile as sf
from sklearn.utils import Bunch, check_random_state
from sklearn.utils._param_validation import Interval, validate_params

from ._base import make_bunch, read_descr
from ._phonemes import TEXTS
from ._synthesis import Voice, speak


@dataclass(frozen=True)
class Manner:
    """How a way of speaking differs from the plain voice of an average speaker.

    Each value counts steps that listeners would call about equal, so that manners can be
    scaled and added: an emotion, a speaker's habits and the chance of the moment.
    """

    pitch: float = 0.0  # semitones
    accent: float = 0.0  # octaves of the accents' height
    slope: float = 0.0  # semitones per second
    final: float = 0.0  # semitones
    tempo: float = 0.0  # octaves of the speaking rate
    pausing: float = 0.0  # octaves of the pauses' length
    level: float = 0.0  # dB
    emphasis: float = 0.0  # dB
    brightness: float = 0.0  # logits of the tilt
    breath: float = 0.0  # dB
    roughness: float = 0.0  # octaves of the jitter
    tremor: float = 0.0  # octaves of the tremor's depth
    articulation: float = 0.0  # octaves of the formants' excursion


# After what studies of acted emotion report of each, in direction rather than size.
EMOTIONS = {
    "anger": Manner(3.5, 0.7, -0.8, -1.5, 0.1, -0.4, 6.0, 3.0, 1.2, -4.0, 0.6, 0.0, 0.3),
    "boredom": Manner(-2.0, -0.9, -0.2, -0.3, -0.3, 0.4, -3.0, -2.0, -0.7, -1.5, 0.0, -0.3, -0.4),
    "disgust": Manner(-0.5, 0.1, -1.0, -1.5, -0.25, 0.5, 1.0, 2.0, 0.4, 1.5, 1.2, 0.0, 0.2),
    "fear": Manner(4.5, -0.3, 0.3, 0.8, 0.3, -0.3, 0.0, -1.0, 0.0, 4.5, 0.6, 1.6, -0.3),
    "happiness": Manner(3.5, 0.9, 0.5, 2.0, 0.08, -0.3, 3.0, 1.5, 0.6, -1.0, -0.3, 0.2, 0.15),
    "neutral": Manner(),
    "sadness": Manner(-0.5, -0.7, -0.6, -0.5, -0.4, 0.7, -5.0, -1.5, -1.0, 6.0, 0.2, 0.8, -0.3),
}

# Standard deviations, between speakers and between utterances of one.
_OF_SPEAKERS = Manner(1.6, 0.25, 0.3, 0.4, 0.1, 0.25, 1.5, 0.7, 0.25, 1.8, 0.3, 0.3, 0.08)
_OF_UTTERANCES = Manner(0.9, 0.3, 0.6, 0.8, 0.08, 0.3, 1.2, 0.8, 0.2, 1.4, 0.3, 0.4, 0.08)


@validate_params(
    {
        "n_speakers": [Interval(Integral, 1, None, closed="left")],
        "n_utterances": [Interval(Integral, 1, None, closed="left")],
        "emotions": ["array-like", None],
        "sample_rate": [Interval(Integral, 8000, 48000, closed="both")],
        "out": [str, PathLike, None],
        "random_state": ["random_state"],
    },
    prefer_skip_nested_validation=True,
)
def make_emotional_speech(
    n_speakers: int = 10,
    *,
    n_utterances: int = 4,
    emotions: Sequence[str] | None = None,
    sample_rate: int = 16000,
    out: str | PathLike | None = None,
    random_state: int | np.random.RandomState | None = 0,
) -> Bunch:
    """Synthesise a corpus of emotional speech.

    Each speaker speaks the same meaningless sentences in each emotion. Emotions differ in
    pitch, contour, tempo, loudness and voice quality; speakers have voices and habits of
    their own; and no two utterances are alike. The classes overlap, as those of recorded
    speech do.

    Parameters
    ----------
    n_speakers : int, default=10
        Number of speakers, the first one female, the second male, and so on.
    n_utterances : int, default=4
        Number of utterances by each speaker in each emotion. There are ten texts; further
        utterances repeat them.
    emotions : sequence of str, default=None
        Some of anger, boredom, disgust, fear, happiness, neutral and sadness. By default, all.
    sample_rate : int, in Hz, default=16000
        Sampling rate, 8000 to 48000.
    out : str or path-like, default=None
        Folder to write the utterances to, as 16-bit WAV files; made if missing, and files of
        the same names are overwritten. By default, the corpus stays in memory.
    random_state : int, RandomState instance or None, default=0
        Seed. With the same one, an utterance is the same in any corpus that has its speaker,
        emotion and number, whatever else is in it. With None, each call gives another corpus.

    Returns
    -------
    bunch : Bunch
        The corpus, sorted by speaker, then emotion, with these attributes:

        data : list of n_samples ndarrays of shape (n_timestamps,) or str
            Waveforms in float32, each 1.2 to 3.5 s long; with `out`, the absolute paths of
            files that hold the same samples.
        target : ndarray of shape (n_samples,)
            Emotions.
        groups : ndarray of shape (n_samples,)
            Speakers: s01, s02, and so on.
        target_names : list of str
            The emotions that occur, sorted.
        frame : DataFrame of shape (n_samples, 6)
            Columns `file` (`<speaker>_<text>_<emotion>_<take>.wav`), `label`, `speaker`,
            `gender`, `text` (t01 to t10) and `duration` (s).
        DESCR : str
            Description of the corpus.
        name : str
            "synthetic".

    Raises
    ------
    ValueError
        If a parameter is out of its range, or an emotion is unknown or given twice.

    References
    ----------
    .. [1] A. E. Rosenberg, "Effect of glottal pulse shape on the quality of natural vowels",
       Journal of the Acoustical Society of America, 49(2B), 1971, pp. 583-590.
    .. [2] D. H. Klatt, "Software for a cascade/parallel formant synthesizer", Journal of the
       Acoustical Society of America, 67(3), 1980, pp. 971-995.
    .. [3] K. R. Scherer, "Vocal communication of emotion: A review of research paradigms",
       Speech Communication, 40(1-2), 2003, pp. 227-256.

    Examples
    --------
    >>> from skser.datasets import make_emotional_speech
    >>> corpus = make_emotional_speech(2, n_utterances=1, emotions=["anger", "sadness"])
    >>> len(corpus.data), corpus.target_names
    (4, ['anger', 'sadness'])
    """
    chosen = _check_emotions(emotions)
    seed = int(check_random_state(random_state).randint(2**31 - 1))
    folder = Path.cwd() if out is None else Path(out).expanduser()
    if out is not None:
        folder.mkdir(parents=True, exist_ok=True)
    rows, waveforms = [], []
    for speaker in range(n_speakers):
        for emotion in chosen:
            for utterance in range(n_utterances):
                pcm = _synthesise(seed, speaker, emotion, utterance, sample_rate)
                row = _describe(speaker, emotion, utterance, len(pcm) / sample_rate)
                rows.append(row)
                if out is None:
                    waveforms.append((pcm / 32768).astype(np.float32))
                else:
                    sf.write(folder / row["file"], pcm, sample_rate, subtype="PCM_16")
    return make_bunch(
        pd.DataFrame(rows),
        name="synthetic",
        descr=read_descr("synthetic"),
        root=folder,
        data=waveforms if out is None else None,
    )


def _check_emotions(emotions: Sequence[str] | None) -> list[str]:
    """Sort the emotions, and refuse what is not one of them."""
    if emotions is None:
        return sorted(EMOTIONS)
    given = list(emotions)
    unknown = [e for e in given if not isinstance(e, str) or e not in EMOTIONS]
    if unknown or not given or len(set(given)) < len(given):
        raise ValueError(
            f"The 'emotions' parameter of make_emotional_speech must be one or more of "
            f"{', '.join(EMOTIONS)}, each once. Got {given!r} instead."
        )
    return sorted(str(emotion) for emotion in given)


def _describe(speaker: int, emotion: str, utterance: int, duration: float) -> dict:
    """Make one row of the table."""
    take, text = divmod(utterance, len(TEXTS))
    name, code = f"s{speaker + 1:02d}", list(TEXTS)[text]
    return {
        "file": f"{name}_{code}_{emotion}_{take + 1}.wav",
        "label": emotion,
        "speaker": name,
        "gender": _gender(speaker),
        "text": code,
        "duration": duration,
    }


def _gender(speaker: int) -> str:
    return "male" if speaker % 2 else "female"


def _synthesise(
    seed: int, speaker: int, emotion: str, utterance: int, sample_rate: int
) -> np.ndarray:
    """Make the samples of one utterance, as 16-bit integers."""
    number = list(EMOTIONS).index(emotion)
    # A key of its own for each thing that is random keeps it free of all others.
    person, habit, moment = (
        np.random.default_rng(np.random.SeedSequence(seed, spawn_key=key))
        for key in ((speaker,), (speaker, number), (speaker, number, utterance))
    )
    voice = _draw_voice(_gender(speaker), EMOTIONS[emotion], person, habit, moment)
    text = TEXTS[list(TEXTS)[utterance % len(TEXTS)]]
    waveform = speak(text, voice, sample_rate=sample_rate, rng=moment)
    return np.round(waveform * 32767).astype(np.int16)


def _draw_voice(
    gender: str,
    emotion: Manner,
    person: np.random.Generator,
    habit: np.random.Generator,
    moment: np.random.Generator,
) -> Voice:
    """Mix a speaker, how this speaker shows this emotion, and the chance of the moment."""
    usual = np.array(astuple(_OF_SPEAKERS)) * person.standard_normal(len(astuple(emotion)))
    tract = (1.17 if gender == "female" else 1.0) * np.exp(0.04 * person.standard_normal())
    open_quotient = person.uniform(0.5, 0.7)
    shown = np.array(astuple(emotion)) * habit.normal(1.0, 0.25, len(astuple(emotion)))
    shown *= moment.uniform(0.6, 1.3)  # weakly or strongly
    chance = np.array(astuple(_OF_UTTERANCES)) * moment.standard_normal(len(shown))
    manner = Manner(*(usual + shown + chance))
    return Voice(
        pitch=(200 if gender == "female" else 115) * 2 ** (manner.pitch / 12),
        accent=3 * 2**manner.accent,
        slope=-1.5 + manner.slope,
        final=-1 + manner.final,
        tempo=2**manner.tempo,
        pausing=2**manner.pausing,
        level=-29 + manner.level,
        emphasis=max(0.0, 4 + manner.emphasis),
        tilt=0.95 / (1 + np.exp(manner.brightness + 0.9)),
        breath=-24 + manner.breath,
        jitter=min(0.05, 0.008 * 2**manner.roughness),
        tremor=0.1 * 2**manner.tremor,
        open_quotient=open_quotient,
        tract=tract,
        articulation=2**manner.articulation,
    )
