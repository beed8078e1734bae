"""Errors and warnings of skser: each derives from `SkserError` and the built-in that fits."""


class SkserError(Exception):
    """Base class of every error that skser raises on its own account."""


class AudioFileError(SkserError, OSError):
    """A recording is missing, empty, unreadable or holds samples that are no numbers."""


class AudioError(SkserError, ValueError):
    """A waveform given in memory cannot be used: wrong shape, no samples, or not finite."""


class CorpusError(SkserError, ValueError):
    """A corpus folder does not hold what its official release holds."""


class ModelFileError(SkserError, ValueError):
    """A model file is foreign, altered, or of a version that this skser cannot read."""


class EvaluationError(SkserError, ValueError):
    """An evaluation cannot start or continue with these data or in this folder."""


class CacheError(SkserError, OSError):
    """A folder of features is no cache, is of another version, or cannot be written to."""


class TruncatedAudioWarning(UserWarning):
    """A WAV file holds fewer samples than its header promises."""


class SilentAudioWarning(UserWarning):
    """A recording or waveform holds nothing but zeros where it was cut."""


class IncompleteCorpusWarning(UserWarning):
    """A corpus folder holds only part of the official release, or recordings beyond it."""


class SkippedFilesWarning(UserWarning):
    """Recordings in a corpus folder were left out for a reason that nobody had declared."""


class LabelMismatchWarning(UserWarning):
    """Corpora that are joined do not all have the same emotions."""


class TrainingError(SkserError, ValueError):
    """A network cannot be trained with these parameters on these data."""


class SlowPrecisionWarning(UserWarning):
    """The processor has no instructions for the number format that a network computes in."""


class MissingClassWarning(UserWarning):
    """The training data of a fold lack an emotion that the corpus has."""


class UnknownSpeakersWarning(UserWarning):
    """A model that adapts to speakers was not told which utterance is whose."""


class SmallFoldWarning(UserWarning):
    """A speaker has a single utterance, so that the speaker's own scores say little."""


class MixedSpeakersWarning(UserWarning):
    """A part of a model splits its training data inside, and not by speaker."""


class FailedFoldWarning(UserWarning):
    """A fold could not be trained or tested; the others go on."""
