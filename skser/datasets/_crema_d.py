"""CREMA-D, the Crowd-sourced Emotional Multimodal Actors Dataset."""

from os import PathLike

from sklearn.utils import Bunch
from sklearn.utils._param_validation import validate_params

from ._folder import Release, Row, load_release

# The numbers of the 43 women among the actors 1001 to 1091, less 1000.
_WOMEN = {
    *(2, 3, 4, 6, 7, 8, 9, 10, 12, 13, 18, 20, 21, 24, 25, 28, 29, 30, 37, 43, 46, 47, 49),
    *(52, 53, 54, 55, 56, 58, 60, 61, 63, 72, 73, 74, 75, 76, 78, 79, 82, 84, 89, 91),
}
# "X" stands in one name of older copies, 1040_ITH_SAD_X.wav.
_LEVELS = {"LO": "low", "MD": "medium", "HI": "high", "XX": "unspecified", "X": "unspecified"}


def _columns(row: Row) -> Row:
    woman = int(row["speaker"]) - 1000 in _WOMEN
    return {"gender": "female" if woman else "male", "level": _LEVELS[row["level"]]}


CREMA_D = Release(
    name="crema_d",
    title="CREMA-D",
    example="AudioWAV/1001_DFA_ANG_XX.wav",
    pattern=(
        r"(?:^|/)(?P<speaker>10(?!00)[0-8]\d|109[01])_(?P<text>[A-Z]{3})_(?P<label>[A-Z]{3})"
        r"_(?P<level>LO|MD|HI|XX?)\.(?i:wav)$"
    ),
    label_map={
        "ANG": "anger",
        "DIS": "disgust",
        "FEA": "fear",
        "HAP": "happiness",
        "NEU": "neutral",
        "SAD": "sadness",
    },
    n_recordings=7442,
    n_speakers=91,
    inner="AudioWAV",
    columns=_columns,
)


@validate_params({"root": [str, PathLike]}, prefer_skip_nested_validation=True)
def load_crema_d(root: str | PathLike) -> Bunch:
    """Read CREMA-D from a folder.

    Parameters
    ----------
    root : str or path-like
        The official repository, with the files of Git LFS in it, or its folder `AudioWAV`.

    Returns
    -------
    bunch : Bunch
        The corpus as :func:`load_audio_folder` describes it. Its labels are the emotions that
        the actors were asked for. A further column of `frame`: `level` ("low", "medium",
        "high" or "unspecified").

    Raises
    ------
    CorpusError
        If the folder is missing or holds no recording of CREMA-D.
    AudioFileError
        If a recording cannot be read, or is a Git LFS pointer.

    Warns
    -----
    IncompleteCorpusWarning
        If fewer or more than the 7442 official recordings are there.
    SkippedFilesWarning
        If there are other recordings, or second copies.

    References
    ----------
    .. [1] H. Cao, D. G. Cooper, M. K. Keutmann, R. C. Gur, A. Nenkova and R. Verma, "CREMA-D:
       Crowd-sourced emotional multimodal actors dataset", IEEE Transactions on Affective
       Computing, 5(4), 2014, pp. 377-390.
    """
    return load_release(CREMA_D, root)
