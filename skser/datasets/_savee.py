"""SAVEE, the Surrey Audio-Visual Expressed Emotion database."""

from os import PathLike

from sklearn.utils import Bunch
from sklearn.utils._param_validation import validate_params

from ._folder import Release, Row, load_release


def _columns(row: Row) -> Row:
    # Sentence 5 of anger is another one than sentence 5 of fear.
    return {"gender": "male", "text": row["label"] + row["text"]}


SAVEE = Release(
    name="savee",
    title="SAVEE",
    example="AudioData/DC/a01.wav",
    pattern=(r"(?:^|/)(?P<speaker>DC|JE|JK|KL)[/_](?P<label>[a-z]+)(?P<text>\d\d)\.(?i:wav)$"),
    label_map={
        "a": "anger",
        "d": "disgust",
        "f": "fear",
        "h": "happiness",
        "n": "neutral",
        "sa": "sadness",
        "su": "surprise",
    },
    n_recordings=480,
    n_speakers=4,
    inner="AudioData",
    columns=_columns,
)


@validate_params({"root": [str, PathLike]}, prefer_skip_nested_validation=True)
def load_savee(root: str | PathLike) -> Bunch:
    """Read SAVEE from a folder.

    Parameters
    ----------
    root : str or path-like
        The folder that the archive was unpacked into, which holds `AudioData/DC/a01.wav` and
        so on. Copies in one folder, with names such as `DC_a01.wav`, are read as well.

    Returns
    -------
    bunch : Bunch
        The corpus as :func:`load_audio_folder` describes it.

    Raises
    ------
    CorpusError
        If the folder is missing or holds no recording of SAVEE.
    AudioFileError
        If a recording cannot be read.

    Warns
    -----
    IncompleteCorpusWarning
        If fewer or more than the 480 official recordings are there.
    SkippedFilesWarning
        If there are other recordings, or second copies.

    References
    ----------
    .. [1] S. Haq and P. J. B. Jackson, "Speaker-dependent audio-visual emotion recognition",
       in Proc. AVSP, 2009, pp. 53-58.
    """
    return load_release(SAVEE, root)
