"""TESS, the Toronto emotional speech set."""

from os import PathLike

from sklearn.utils import Bunch
from sklearn.utils._param_validation import validate_params

from ._folder import Release, Row, load_release


def _columns(row: Row) -> Row:
    # One name of the release lacks a letter: OA_bite_neutral.wav is the speaker OAF.
    return {"speaker": "OAF" if row["speaker"] == "OA" else row["speaker"], "gender": "female"}


TESS = Release(
    name="tess",
    title="TESS",
    example="OAF_angry/OAF_back_angry.wav",
    pattern=r"(?:^|/)(?P<speaker>OAF?|YAF)_(?P<text>[a-z]+)_(?P<label>[a-z]+)\.(?i:wav)$",
    label_map={
        "angry": "anger",
        "disgust": "disgust",
        "fear": "fear",
        "happy": "happiness",
        "neutral": "neutral",
        "ps": "surprise",
        "sad": "sadness",
    },
    n_recordings=2800,
    n_speakers=2,
    columns=_columns,
)


@validate_params({"root": [str, PathLike]}, prefer_skip_nested_validation=True)
def load_tess(root: str | PathLike) -> Bunch:
    """Read TESS from a folder.

    Parameters
    ----------
    root : str or path-like
        The folder that the archive was unpacked into. The recordings may lie in it or in
        subfolders.

    Returns
    -------
    bunch : Bunch
        The corpus as :func:`load_audio_folder` describes it. It has two speakers only, so
        that leave-one-speaker-out trains on one and tests on the other.

    Raises
    ------
    CorpusError
        If the folder is missing or holds no recording of TESS.
    AudioFileError
        If a recording cannot be read.

    Warns
    -----
    IncompleteCorpusWarning
        If fewer or more than the 2800 official recordings are there.
    SkippedFilesWarning
        If there are other recordings, or second copies.

    References
    ----------
    .. [1] M. K. Pichora-Fuller and K. Dupuis, "Toronto emotional speech set (TESS)",
       Scholars Portal Dataverse, 2020, doi:10.5683/SP2/E8H2MF.
    """
    return load_release(TESS, root)
