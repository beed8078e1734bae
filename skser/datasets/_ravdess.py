"""RAVDESS, the Ryerson Audio-Visual Database of Emotional Speech and Song."""

from os import PathLike

from sklearn.utils import Bunch
from sklearn.utils._param_validation import validate_params

from ._folder import Release, Row, load_release


def _columns(row: Row) -> Row:
    return {
        "gender": "male" if int(row["speaker"]) % 2 else "female",
        "intensity": {"01": "normal", "02": "strong"}[row["intensity"]],
    }


RAVDESS = Release(
    name="ravdess",
    title="RAVDESS",
    example="Actor_01/03-01-05-01-02-01-01.wav",
    pattern=(
        r"(?:^|/)03-01-(?P<label>\d\d)-(?P<intensity>0[12])-(?P<text>0[12])-(?P<repetition>0[12])"
        r"-(?P<speaker>0[1-9]|1\d|2[0-4])\.(?i:wav)$"
    ),
    label_map={
        "01": "neutral",
        "02": "calm",
        "03": "happiness",
        "04": "sadness",
        "05": "anger",
        "06": "fear",
        "07": "disgust",
        "08": "surprise",
    },
    n_recordings=1440,
    n_speakers=24,
    columns=_columns,
    leave_out={r"(?:^|/)03-02(-\d\d){5}\.(?i:wav)$": "song, not speech"},
)


@validate_params({"root": [str, PathLike]}, prefer_skip_nested_validation=True)
def load_ravdess(root: str | PathLike) -> Bunch:
    """Read the speech of RAVDESS from a folder; its songs are left out.

    Parameters
    ----------
    root : str or path-like
        The folder that the archive of the audio files was unpacked into, which holds
        `Actor_01/` to `Actor_24/`, or a folder above it.

    Returns
    -------
    bunch : Bunch
        The corpus as :func:`load_audio_folder` describes it. Further columns of `frame`:
        `intensity` ("normal" or "strong") and `repetition` ("01" or "02").

    Raises
    ------
    CorpusError
        If the folder is missing or holds no recording of RAVDESS.
    AudioFileError
        If a recording cannot be read.

    Warns
    -----
    IncompleteCorpusWarning
        If fewer or more than the 1440 official recordings are there.
    SkippedFilesWarning
        If there are other recordings, or second copies.

    References
    ----------
    .. [1] S. R. Livingstone and F. A. Russo, "The Ryerson Audio-Visual Database of Emotional
       Speech and Song (RAVDESS)", PLoS ONE, 13(5), e0196391, 2018.
    """
    return load_release(RAVDESS, root)
