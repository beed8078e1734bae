"""The sounds that the synthesiser knows, and the sentences it speaks."""

from dataclasses import dataclass, replace

import numpy as np


@dataclass(frozen=True)
class Segment:
    """A stretch of sound with one target for each articulator.

    Attributes
    ----------
    formants : tuple of 3 floats, in Hz
        First three formants, for a male adult of average size.
    seconds : float, in s
        Usual duration.
    voicing : float
        Amplitude of the glottal source.
    noise : float
        Amplitude of the frication.
    noise_centre : float, in Hz
        Where the frication has most energy.
    noise_width : float, in Hz
        Standard deviation of that peak.
    is_vowel : bool
        Whether it can carry a stress.
    stressed : bool
        Whether it does.
    """

    formants: tuple[float, float, float]
    seconds: float
    voicing: float = 0.0
    noise: float = 0.0
    noise_centre: float = 3000.0
    noise_width: float = 1500.0
    is_vowel: bool = False
    stressed: bool = False


def _vowel(f1: float, f2: float, f3: float, seconds: float = 0.105) -> tuple[Segment, ...]:
    return (Segment((f1, f2, f3), seconds, voicing=1.0, is_vowel=True),)


def _sonorant(f1: float, f2: float, f3: float, voicing: float) -> tuple[Segment, ...]:
    return (Segment((f1, f2, f3), 0.065, voicing=voicing),)


def _fricative(
    f2: float, centre: float, width: float, noise: float, voicing: float = 0.0
) -> tuple[Segment, ...]:
    seconds = 0.07 if voicing else 0.1
    return (Segment((320.0, f2, 2500.0), seconds, voicing, noise, centre, width),)


def _plosive(f2: float, centre: float, width: float, *, voiced: bool) -> tuple[Segment, ...]:
    """Make a closure and the burst that ends it."""
    formants = (250.0, f2, 2400.0)
    if voiced:
        closure = Segment(formants, 0.05, voicing=0.15, noise_centre=centre, noise_width=width)
        burst = Segment(formants, 0.012, 0.25, 0.7, centre, width)
    else:
        closure = Segment(formants, 0.065, noise_centre=centre, noise_width=width)
        burst = Segment(formants, 0.03, 0.0, 1.5, centre, width)
    return closure, burst


PAUSE = Segment((500.0, 1500.0, 2500.0), 0.16)

# Formants of the vowels are rounded means of male adults as phonetics textbooks give them.
PHONEMES = {
    "a": _vowel(740, 1250, 2480),
    "e": _vowel(430, 1950, 2550),
    "i": _vowel(290, 2200, 2950),
    "o": _vowel(470, 880, 2400),
    "u": _vowel(320, 820, 2280),
    "@": _vowel(500, 1450, 2450, seconds=0.07),
    "m": _sonorant(270, 1000, 2200, voicing=0.45),
    "n": _sonorant(270, 1600, 2550, voicing=0.45),
    "l": _sonorant(360, 1250, 2650, voicing=0.6),
    "r": _sonorant(430, 1250, 1850, voicing=0.6),
    "j": _sonorant(280, 2150, 2900, voicing=0.6),
    "f": _fricative(1050, centre=4500, width=3000, noise=0.3),
    "s": _fricative(1700, centre=5800, width=1200, noise=1.1),
    "S": _fricative(1900, centre=3200, width=900, noise=1.2),
    "h": _fricative(1450, centre=1600, width=1400, noise=0.4),
    "v": _fricative(1050, centre=4500, width=3000, noise=0.12, voicing=0.35),
    "z": _fricative(1700, centre=5800, width=1200, noise=0.5, voicing=0.3),
    "b": _plosive(900, centre=900, width=700, voiced=True),
    "d": _plosive(1750, centre=3800, width=1200, voiced=True),
    "g": _plosive(2000, centre=2000, width=600, voiced=True),
    "p": _plosive(900, centre=900, width=700, voiced=False),
    "t": _plosive(1750, centre=3800, width=1200, voiced=False),
    "k": _plosive(2000, centre=2000, width=600, voiced=False),
}

# A stress mark stands before a stressed syllable, "|" for a pause. The words mean nothing, so
# that no text belongs to an emotion.
TEXTS = {
    "t01": "d@ 'la pen | 'li kt a n@ 'mi so",
    "t02": "ta 'so re vi | m@ 'no ka 'be",
    "t03": "'ho de me 'ra | ku n@ 'si fa to",
    "t04": "Sa 'va zu | n@ 'pi ro g@ 'lum",
    "t05": "in 'ze b@ no | 'Su le va 'ret",
    "t06": "'va su mi 'ka | t@ de 'fo ni r@",
    "t07": "zi 'ha b@ no 'tra | g@ 'mu te",
    "t08": "an 'do ke S@ | bi 'na lo 'fis",
    "t09": "'je ru va | ma 'ti sol d@ 'ne",
    "t10": "'di ve r@ | a 'pu na 'Se lo ki",
}


def to_segments(text: str) -> list[Segment]:
    """Read syllables, such as ``"d@ 'la | pen"``, as the segments they are made of.

    Parameters
    ----------
    text : str
        Syllables between spaces, one letter a phoneme; "'" before a stressed one; "|" for a
        pause.

    Returns
    -------
    segments : list of Segment
        At least one of them a vowel.
    """
    segments = []
    for syllable in text.split():
        if syllable == "|":
            segments.append(PAUSE)
            continue
        for phoneme in syllable.removeprefix("'"):
            segments.extend(
                replace(segment, stressed=syllable.startswith("'")) for segment in PHONEMES[phoneme]
            )
    assert np.any([segment.is_vowel for segment in segments])  # a text of ours is wrong otherwise
    return segments
