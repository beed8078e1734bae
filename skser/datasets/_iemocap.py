"""IEMOCAP, the interactive emotional dyadic motion capture database."""

import re
import warnings
from collections import Counter
from os import PathLike
from pathlib import Path
from typing import NamedTuple

import pandas as pd
from sklearn.utils import Bunch
from sklearn.utils._param_validation import StrOptions, validate_params

from .._text import some
from ..exceptions import CorpusError, IncompleteCorpusWarning
from ._base import make_bunch, read_descr
from ._reading import (
    Tally,
    describe_reading,
    find_folder,
    is_audio,
    list_files,
    read_durations,
)

SESSIONS = ("Session1", "Session2", "Session3", "Session4", "Session5")
EMOTIONS = {
    "ang": "anger",
    "exc": "excitement",
    "hap": "happiness",
    "neu": "neutral",
    "sad": "sadness",
}
# How often the label files of the whole release give each of these codes.
OFFICIAL_COUNTS = {"ang": 1103, "exc": 1041, "hap": 595, "neu": 1708, "sad": 1084}
# Frustration, surprise, fear, disgust, another emotion, and no agreement among the listeners.
OTHER_CODES = ("fru", "sur", "fea", "dis", "oth", "xxx")

_SUBSETS = {"impro": "improvised", "script": "scripted"}
_TURN = r"(?P<dialog>Ses(?P<session>0[1-5])[FM]_(?P<kind>impro|script)\w+?)_(?P<letter>[FM])[0-9X]+"
_LINE = re.compile(
    rf"\[[\d.]+ *- *[\d.]+\]\s+(?P<turn>{_TURN})\s+(?P<code>\w+)"
    r"\s+\[(?P<valence>[\d.]+), *(?P<activation>[\d.]+), *(?P<dominance>[\d.]+)\]"
)


class _Turn(NamedTuple):
    """One labelled turn of a dialog."""

    wav: str  # relative to the release
    code: str
    kind: str
    row: dict[str, str | float]


@validate_params(
    {
        "root": [str, PathLike],
        "subset": [StrOptions({"improvised", "scripted", "all"})],
        "merge_excited": ["boolean"],
    },
    prefer_skip_nested_validation=True,
)
def load_iemocap(root: str | PathLike, *, subset: str = "all", merge_excited: bool = True) -> Bunch:
    """Read the utterances of IEMOCAP in four emotions (or five) from the official release.

    Parameters
    ----------
    root : str or path-like
        The folder of the release, which holds `Session1/` to `Session5/`, or the folder above
        it. Needed of each session are `dialog/EmoEvaluation/*.txt` and `sentences/wav/`.
    subset : {"all", "improvised", "scripted"}, default="all"
        Which dialogs to take.
    merge_excited : bool, default=True
        Whether excitement counts as happiness, as in most publications. Otherwise it is a
        class of its own.

    Returns
    -------
    bunch : Bunch
        The corpus as :func:`make_bunch` describes it, sorted by session, dialog and turn,
        with one more attribute:

        skipped : dict of str to list of str
            The files that were not taken, by reason. `DESCR` ends with their numbers.

        Its `groups` are the ten speakers: the session and the letter of the turn, which says
        who speaks, such as "Ses01F". The letter of the dialog says who wore the markers.
        Further columns of `frame`: `session`, `dialog`, `subset`, and the listeners' mean
        `valence`, `activation` and `dominance` (1 to 5).

    Raises
    ------
    CorpusError
        If there is no session, a session lacks its label files or recordings, a label line
        cannot be read, or the recording of an utterance is missing.
    AudioFileError
        If a recording cannot be read.

    Warns
    -----
    IncompleteCorpusWarning
        If sessions or label files are missing, or the labels' numbers are not those of the
        release: angry 1103, happy 595, excited 1041, neutral 1708 and sad 1084, 5531 in all.
    SkippedFilesWarning
        If there are recordings without a label, or with an unknown one.

    References
    ----------
    .. [1] C. Busso, M. Bulut, C.-C. Lee, A. Kazemzadeh, E. Mower, S. Kim, J. N. Chang, S. Lee
       and S. S. Narayanan, "IEMOCAP: Interactive emotional dyadic motion capture database",
       Language Resources and Evaluation, 42(4), 2008, pp. 335-359.
    """
    folder = _find_release(root)
    sessions = [session for session in SESSIONS if (folder / session).is_dir()]
    missing = [session for session in SESSIONS if session not in sessions]
    tally = Tally()
    turns = [turn for session in sessions for turn in _read_labels(folder, session, tally)]
    recordings = _list_recordings(folder, sessions, tally)
    missing += _skip_unlabelled(recordings, turns, tally)
    taken = _take(turns, subset, tally)
    _check_recordings(folder, taken, recordings)
    if not taken:
        raise CorpusError(
            f"The IEMOCAP release in {str(folder)!r} must hold utterances of the subset "
            f"{subset!r} in one of the emotions {', '.join(EMOTIONS.values())}. Got none: {tally}."
        )
    frame = pd.DataFrame([_describe(turn, merge_excited=merge_excited) for turn in taken])
    frame["duration"] = read_durations(folder, frame["file"].tolist())
    descr = describe_reading(read_descr("iemocap"), tally)
    bunch = make_bunch(frame, name="iemocap", descr=descr, root=folder)
    bunch.skipped = tally.skipped
    tally.warn("IEMOCAP", stacklevel=3)  # past the wrapper of validate_params
    if differences := _find_differences(missing, turns):
        warnings.warn(
            f"IEMOCAP in {str(folder)!r} is not the whole release: {differences}. Results on it "
            f"cannot be compared with those on the whole corpus.",
            IncompleteCorpusWarning,
            stacklevel=3,
        )
    return bunch


def _find_release(root: str | PathLike) -> Path:
    folder = find_folder(root, loader="load_iemocap", what="IEMOCAP's Session1 to Session5")
    inner = folder / "IEMOCAP_full_release"
    for candidate in (folder, inner):
        if any((candidate / session).is_dir() for session in SESSIONS):
            return candidate
    raise CorpusError(
        f"The folder {str(folder)!r} must hold IEMOCAP's folders Session1 to Session5. "
        f"Got none of them."
    )


def _read_labels(folder: Path, session: str, tally: Tally) -> list[_Turn]:
    """Read the label files of a session; what else lies beside them is counted."""
    labels = folder / session / "dialog" / "EmoEvaluation"
    if not labels.is_dir():
        raise CorpusError(_lacks(folder, session, "dialog/EmoEvaluation", "its labels"))
    turns = []
    # Subfolders hold the single listeners' votes, of which the files here are the summary.
    for path in sorted(path for path in labels.iterdir() if path.is_file()):
        if path.name.startswith(".") or path.suffix.lower() != ".txt":
            tally.skip(path.relative_to(folder).as_posix(), "not a label file", expected=True)
        else:
            turns += _read_label_file(folder, session, path)
    if not turns:
        raise CorpusError(
            _lacks(folder, session, "dialog/EmoEvaluation/*.txt", "its label files, with any line")
        )
    return turns


def _read_label_file(folder: Path, session: str, path: Path) -> list[_Turn]:
    turns = []
    # The listeners' remarks may hold any bytes; the lines that are read are plain ASCII.
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    for number, line in enumerate(lines, start=1):
        if not line.lstrip("\ufeff").startswith("["):
            continue
        parts = _LINE.match(line.lstrip("\ufeff"))
        if parts is None:
            raise CorpusError(
                f"Line {number} of {path.relative_to(folder).as_posix()!r} must be like "
                f"'[6.2901 - 8.2357] Ses01F_impro01_F000 neu [2.5000, 2.5000, 2.5000]'. "
                f"Got {line!r}. Unpack the release again."
            )
        turns.append(_to_turn(session, parts))
    return turns


def _to_turn(session: str, parts: re.Match[str]) -> _Turn:
    row: dict[str, str | float] = {
        "speaker": f"Ses{parts['session']}{parts['letter']}",
        "gender": {"F": "female", "M": "male"}[parts["letter"]],
        "session": parts["session"],
        "dialog": parts["dialog"],
        "subset": _SUBSETS[parts["kind"]],
    }
    row |= {scale: float(parts[scale]) for scale in ("valence", "activation", "dominance")}
    wav = f"{session}/sentences/wav/{parts['dialog']}/{parts['turn']}.wav"
    return _Turn(wav=wav, code=parts["code"], kind=_SUBSETS[parts["kind"]], row=row)


def _list_recordings(folder: Path, sessions: list[str], tally: Tally) -> set[str]:
    recordings = set()
    for session in sessions:
        wav = folder / session / "sentences" / "wav"
        if not wav.is_dir():
            raise CorpusError(_lacks(folder, session, "sentences/wav", "its utterances"))
        for file in list_files(wav):
            path = f"{session}/sentences/wav/{file}"
            if is_audio(file):
                recordings.add(path)
            else:
                tally.skip_no_audio(path)
    return recordings


def _skip_unlabelled(recordings: set[str], turns: list[_Turn], tally: Tally) -> list[str]:
    """Count the recordings without a label line; name the label files that are not there."""
    labelled = {turn.wav for turn in turns}
    dialogs = {turn.row["dialog"] for turn in turns}
    missing = set()
    for wav in sorted(recordings - labelled):
        session, *_, dialog, _ = wav.split("/")
        if re.fullmatch(_TURN, f"{dialog}_F0") and dialog not in dialogs:
            missing.add(f"{session}/dialog/EmoEvaluation/{dialog}.txt")
            tally.skip(wav, "its dialog has no label file", expected=True)  # another warning
        else:
            tally.skip(wav, "no label", expected=False)
    return sorted(missing)


def _take(turns: list[_Turn], subset: str, tally: Tally) -> list[_Turn]:
    """Choose the utterances, and count the others by what is wrong with them."""
    taken = []
    for turn in turns:
        if subset not in ("all", turn.kind):
            tally.skip(turn.wav, f"{turn.kind} dialog", expected=True)
        elif turn.code not in EMOTIONS:
            known = turn.code in OTHER_CODES
            reason = f"label {turn.code!r}" if known else f"unknown label {turn.code!r}"
            tally.skip(turn.wav, reason, expected=known)
        else:
            taken.append(turn)
    tally.n_taken = len(taken)
    return taken


def _check_recordings(folder: Path, taken: list[_Turn], recordings: set[str]) -> None:
    if missing := [turn.wav for turn in taken if turn.wav not in recordings]:
        raise CorpusError(
            f"The IEMOCAP release in {str(folder)!r} must hold a recording for each label line. "
            f"Missing are {len(missing)} of {len(taken)}: {some(missing)}. "
            f"Unpack the release again."
        )


def _describe(turn: _Turn, *, merge_excited: bool) -> dict[str, str | float]:
    label = EMOTIONS["hap" if merge_excited and turn.code == "exc" else turn.code]
    return {"file": turn.wav, "label": label, **turn.row}


def _find_differences(missing: list[str], turns: list[_Turn]) -> str:
    """Say in what the labels differ from those of the release; empty if in nothing."""
    counts = Counter(turn.code for turn in turns)
    parts = [f"missing {some(missing)}"] if missing else []
    if wrong := [code for code in OFFICIAL_COUNTS if counts[code] != OFFICIAL_COUNTS[code]]:
        of_each = (f"{EMOTIONS[code]} {counts[code]} of {OFFICIAL_COUNTS[code]}" for code in wrong)
        total = sum(counts[code] for code in OFFICIAL_COUNTS)
        parts.append(
            f"{total} of {sum(OFFICIAL_COUNTS.values())} labels in its emotions "
            f"({', '.join(of_each)})"
        )
    return "; ".join(parts)


def _lacks(folder: Path, session: str, what: str, why: str) -> str:
    return (
        f"The folder {session} of the IEMOCAP release in {str(folder)!r} must hold {what}, {why}. "
        f"It does not. Unpack the release again, or remove the session to do without it."
    )
