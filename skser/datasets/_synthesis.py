"""A source-filter synthesiser: glottal pulses and noise through a vocal tract of resonators.

It is made to give every utterance the structure that features of speech rest on (harmonics,
formants that move, bursts, pauses, prosody), not to be understood or to sound natural.
"""

from dataclasses import dataclass

import numpy as np
from scipy.signal import lfilter

from ._phonemes import PAUSE, Segment, to_segments

TRACK_RATE = 200  # Hz; a point each 5 ms follows speech movements, which take 20 ms and more
N_FFT_SECONDS = 0.064  # room for a resonance of 40 Hz bandwidth to decay by 60 dB


@dataclass(frozen=True)
class Voice:
    """How one utterance is spoken.

    Attributes
    ----------
    pitch : float, in Hz
        Fundamental frequency around which the utterance moves.
    accent : float, in semitones
        Height of the pitch accent on a stressed syllable.
    slope : float, in semitones per second
        Slope of the pitch over the utterance.
    final : float, in semitones
        Pitch movement on the last syllables.
    tempo : float
        Factor on the speaking rate.
    pausing : float
        Factor on the length of pauses.
    level : float, in dB relative to full scale
        Root mean square of the utterance.
    emphasis : float, in dB
        How much louder stressed syllables are.
    tilt : float, in [0, 1)
        Pole of the filter that takes the edge off the glottal pulses; 0 is a bright voice.
    breath : float, in dB
        Aspiration noise relative to the glottal pulses.
    jitter : float
        Standard deviation of the period, relative to it; amplitudes vary four times as much.
    tremor : float, in semitones
        Depth of a pitch modulation of about 6 Hz.
    open_quotient : float, in (0, 1)
        Share of a period in which the glottis is open.
    tract : float
        Factor on all formant frequencies; the reciprocal of the vocal tract's relative length.
    articulation : float
        Factor on the distance of each formant from that of a neutral vowel.
    """

    pitch: float
    accent: float
    slope: float
    final: float
    tempo: float
    pausing: float
    level: float
    emphasis: float
    tilt: float
    breath: float
    jitter: float
    tremor: float
    open_quotient: float
    tract: float
    articulation: float


@dataclass(frozen=True)
class Tracks:
    """What changes in the course of an utterance, at `TRACK_RATE`."""

    f0: np.ndarray  # (n_points,), Hz
    formants: np.ndarray  # (n_points, 3), Hz
    voicing: np.ndarray  # (n_points,), amplitude
    noise: np.ndarray  # (n_points,), amplitude
    noise_centre: np.ndarray  # (n_points,), Hz
    noise_width: np.ndarray  # (n_points,), Hz


def speak(text: str, voice: Voice, *, sample_rate: int, rng: np.random.Generator) -> np.ndarray:
    """Speak a sequence of syllables.

    Parameters
    ----------
    text : str
        Syllables as :func:`~skser.datasets._phonemes.to_segments` reads them.
    voice : Voice
        How it is spoken.
    sample_rate : int, in Hz
        Sampling rate.
    rng : Generator
        Source of all that is random in it.

    Returns
    -------
    waveform : ndarray of shape (n_timestamps,)
        Samples in [-1, 1].
    """
    segments = to_segments(text)
    tracks = _plan(segments, _durations(segments, voice, rng), voice, rng)
    n_samples = round(len(tracks.f0) * sample_rate / TRACK_RATE)
    time = np.arange(n_samples) / sample_rate
    points = np.arange(len(tracks.f0)) / TRACK_RATE
    f0 = np.interp(time, points, tracks.f0)
    voicing = np.interp(time, points, tracks.voicing)
    source = _glottis(f0, voicing, voice, sample_rate, rng)
    frication = np.interp(time, points, tracks.noise) * rng.standard_normal(n_samples)
    waveform = _vocal_tract(source, frication, tracks, voice, sample_rate)
    return _set_level(waveform, voicing > 0.3, voice.level, rng)


def _durations(segments: list[Segment], voice: Voice, rng: np.random.Generator) -> np.ndarray:
    """Say how long each segment lasts, in seconds; 1.2 to 3.5 s with the silence around."""
    seconds = np.array([segment.seconds for segment in segments])
    stress = np.array([segment.stressed and segment.is_vowel for segment in segments])
    pause = np.array([segment is PAUSE for segment in segments])
    last_vowel = max(i for i, segment in enumerate(segments) if segment.is_vowel)
    seconds = seconds * np.exp(0.12 * rng.standard_normal(len(segments)))
    seconds[stress] *= 1.3
    seconds[last_vowel] *= 1.5  # phrase-final lengthening
    seconds = np.where(pause, seconds * voice.pausing, seconds / voice.tempo)
    edges = rng.uniform(0.04, 0.14, 2)
    spoken = seconds.sum()
    seconds *= np.clip(spoken, 1.21 - edges.sum(), 3.45 - edges.sum()) / spoken
    return np.concatenate([edges[:1], seconds, edges[1:]])


def _plan(
    segments: list[Segment], seconds: np.ndarray, voice: Voice, rng: np.random.Generator
) -> Tracks:
    """Turn segments into tracks; where they meet, each flows into the next."""
    padded = [PAUSE, *segments, PAUSE]
    ends = np.cumsum(seconds)
    n_points = int(ends[-1] * TRACK_RATE)
    points = np.arange(n_points) / TRACK_RATE
    at = np.minimum(np.searchsorted(ends, points, side="right"), len(padded) - 1)
    middles = ends - seconds / 2
    stressed = np.array([segment.stressed and segment.is_vowel for segment in padded])

    def track(values: list[float], smoothing: float) -> np.ndarray:
        return _smooth(np.array(values)[at], smoothing)

    neutral = np.array([500.0, 1500.0, 2500.0])
    formants = np.array([segment.formants for segment in padded])
    formants = neutral + voice.articulation * (formants - neutral)
    formants = np.column_stack([track(list(column), 0.055) for column in formants.T])
    accents = _bumps(points, middles[stressed], 0.07)
    fall_off = 10 ** (-3 * (points / points[-1] - 0.5) / 20)  # a phrase grows softer
    loudness = fall_off * 10 ** (voice.emphasis * (accents - 0.5) / 20)
    return Tracks(
        f0=_pitch(points, accents, middles[-2], voice, rng),
        formants=np.maximum(formants, 180.0) * voice.tract,
        voicing=track([segment.voicing for segment in padded], 0.025) * loudness,
        noise=track([segment.noise for segment in padded], 0.012) * np.sqrt(loudness),
        noise_centre=track([segment.noise_centre for segment in padded], 0.02) * voice.tract**0.5,
        noise_width=track([segment.noise_width for segment in padded], 0.02),
    )


def _pitch(
    points: np.ndarray, accents: np.ndarray, end: float, voice: Voice, rng: np.random.Generator
) -> np.ndarray:
    """Draw the pitch contour: declination, accents, final movement, tremor and drift."""
    drift = _smooth(rng.standard_normal(len(points)), 0.25)
    drift *= 0.4 / max(drift.std(), 1e-9)
    tremor = np.sin(2 * np.pi * (rng.uniform(5, 7) * points + rng.uniform()))
    semitones = (
        voice.slope * (points - points[-1] / 2)
        + voice.accent * (accents - 0.35)
        + voice.final / (1 + np.exp(-(points - end + 0.12) / 0.05))
        + voice.tremor * tremor
        + drift
    )
    return np.clip(voice.pitch * 2 ** (semitones / 12), 55.0, 600.0)


def _glottis(
    f0: np.ndarray,
    voicing: np.ndarray,
    voice: Voice,
    sample_rate: int,
    rng: np.random.Generator,
) -> np.ndarray:
    """Make the sound at the glottis: the derivative of Rosenberg's pulse, and breath."""
    cycle = np.cumsum(f0) / sample_rate
    wobble = rng.standard_normal((2, int(cycle[-1]) + 2))
    cycle = np.cumsum(f0 * (1 + voice.jitter * wobble[0, cycle.astype(int)])) / sample_rate
    period = np.minimum(cycle.astype(int), wobble.shape[1] - 1)
    phase = cycle % 1
    closing = voice.open_quotient
    peak = closing * 2 / 3
    flow = np.where(
        phase < peak,
        0.5 - 0.5 * np.cos(np.pi * phase / peak),
        np.cos(np.pi / 2 * np.clip((phase - peak) / (closing - peak), 0, 1)),
    )
    # Differences of the exact flow alias far less than samples of its derivative, which jumps.
    pulses = np.diff(flow, prepend=flow[0]) * sample_rate / f0
    pulses *= 1 + 4 * voice.jitter * wobble[1, period]
    pulses = lfilter([1 - voice.tilt], [1, -voice.tilt], pulses)
    # Air rushes only while the glottis is open.
    breath = 10 ** (voice.breath / 20) * rng.standard_normal(len(f0)) * (0.3 + flow)
    return voicing * (pulses + breath)


def _vocal_tract(
    source: np.ndarray, frication: np.ndarray, tracks: Tracks, voice: Voice, sample_rate: int
) -> np.ndarray:
    """Filter the glottal source by formants and the frication by its place, and add both.

    Windowed pieces are filtered each by what the tracks say at its middle, and overlap.
    """
    hop = sample_rate // 100
    n_fft = 1 << int(np.ceil(np.log2(N_FFT_SECONDS * sample_rate)))
    n_pieces = len(source) // hop + 1
    window = 0.5 - 0.5 * np.cos(np.pi * np.arange(2 * hop) / hop)  # sums to 1 at this hop
    starts = hop * np.arange(n_pieces)
    index = starts[:, None] + np.arange(2 * hop)
    at = np.minimum(starts * TRACK_RATE // sample_rate, len(tracks.f0) - 1)

    def pieces(signal: np.ndarray) -> np.ndarray:
        padded = np.pad(signal, (hop, 2 * hop))
        return np.fft.rfft(padded[index] * window, n_fft)

    resonances = _resonances(tracks.formants[at], voice.tract, n_fft, sample_rate)
    frequency = np.fft.rfftfreq(n_fft, 1 / sample_rate)
    distance = (frequency - tracks.noise_centre[at, None]) / tracks.noise_width[at, None]
    spectrum = pieces(source) * resonances + pieces(frication) * np.exp(-0.5 * distance**2)
    filtered = np.fft.irfft(spectrum, n_fft)
    out = np.zeros(starts[-1] + n_fft)
    for start, piece in zip(starts, filtered, strict=True):
        out[start : start + n_fft] += piece
    return out[hop : hop + len(source)]


def _resonances(formants: np.ndarray, tract: float, n_fft: int, sample_rate: int) -> np.ndarray:
    """Give the frequency response of a cascade of resonators, of gain 1 at 0 Hz."""
    upper = np.arange(3500, 0.46 * sample_rate / tract, 1000) * tract
    upper = np.broadcast_to(upper, (len(formants), len(upper)))
    centres = np.hstack([np.minimum(formants, 0.46 * sample_rate), upper])
    bandwidths = 50 + 0.035 * centres + 15 * (centres / 2500) ** 2
    radius = np.exp(-np.pi * bandwidths / sample_rate)
    linear = -2 * radius * np.cos(2 * np.pi * centres / sample_rate)
    poles = np.ones((len(centres), 1))
    for b, c in zip(linear.T, (radius**2).T, strict=True):
        longer = np.pad(poles, ((0, 0), (0, 2)))
        longer[:, 1:-1] += b[:, None] * poles
        longer[:, 2:] += c[:, None] * poles
        poles = longer
    return poles.sum(axis=1, keepdims=True) / np.fft.rfft(poles, n_fft)


def _set_level(
    waveform: np.ndarray, voiced: np.ndarray, level: float, rng: np.random.Generator
) -> np.ndarray:
    """Scale to a level, measured where it is voiced, and add the noise of a quiet room."""
    reference = waveform[voiced] if voiced.any() else waveform
    waveform = waveform * 10 ** (level / 20) / max(np.sqrt(np.mean(reference**2)), 1e-9)
    waveform = waveform + 10 ** (-76 / 20) * rng.standard_normal(len(waveform))
    # No recording engineer lets it clip.
    return waveform * min(1.0, 0.98 / np.abs(waveform).max())


def _smooth(track: np.ndarray, seconds: float) -> np.ndarray:
    """Smooth by a Hann window of this length; the ends are held."""
    n_half = max(1, round(seconds * TRACK_RATE / 2))
    window = np.hanning(2 * n_half + 3)[1:-1]
    return np.convolve(np.pad(track, n_half, mode="edge"), window / window.sum(), mode="valid")


def _bumps(points: np.ndarray, centres: np.ndarray, width: float) -> np.ndarray:
    """Lay a bell of height 1 on each centre, the highest of them counts."""
    if not len(centres):
        return np.zeros(len(points))
    return np.exp(-0.5 * ((points[:, None] - centres) / width) ** 2).max(axis=1)
