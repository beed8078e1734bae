"""IEMOCAP, as a miniature tree in the official layout."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

from skser.datasets import _iemocap, load_iemocap
from skser.exceptions import (
    AudioFileError,
    CorpusError,
    IncompleteCorpusWarning,
    SkippedFilesWarning,
)

# dialog: turns and their labels; speakers of both letters in dialogs of both letters
DIALOGS = {
    "Ses01F_impro01": {"F000": "neu", "F001": "ang", "M000": "exc", "M001": "fru"},
    "Ses01M_script01_1": {"F000": "hap", "M000": "sad", "MXX0": "xxx"},
    "Ses02F_impro05a": {"F000": "sad", "M000": "ang"},
    "Ses02M_script02_2": {"F000": "neu", "M000": "exc", "M001": "sur"},
    "Ses03F_impro01": {"F000": "exc", "M000": "neu"},
    "Ses04M_impro01": {"F000": "hap", "M000": "dis"},
    "Ses05M_script01_1b": {"F000": "ang", "M000": "sad", "M001": "oth", "M002": "fea"},
}
COUNTS = {"ang": 3, "exc": 3, "hap": 2, "neu": 3, "sad": 3}
part_of_it = pytest.mark.filterwarnings("ignore::skser.exceptions.IncompleteCorpusWarning")


def label_text(dialog, turns, end="\n"):
    lines = ["% [START_TIME - END_TIME] TURN_NAME EMOTION [V, A, D]", ""]
    for number, (turn, code) in enumerate(turns.items()):
        time = f"[{number}.2901 - {number + 1}.2357]"
        lines += [
            f"{time}\t{dialog}_{turn}\t{code}\t[2.5000, 3.0000, {number + 1}.5000]",
            "C-E2:\tNeutral;\t()",
            "C-F1:\tNeutral;\t(a remark [in brackets])",
            "A-E3:\tval 3; act 2; dom  2;\t()",
            "",
        ]
    return end.join(lines)


@pytest.fixture
def root(tmp_path, write_wav):
    """A release with the strays of the official one."""
    root = tmp_path / "IEMOCAP_full_release"
    for dialog, turns in DIALOGS.items():
        session = root / f"Session{dialog[4]}"
        labels = session / "dialog" / "EmoEvaluation"
        for folder in ("Attribute", "Categorical", "Self-evaluation"):
            (labels / folder).mkdir(parents=True, exist_ok=True)
            (labels / folder / f"{dialog}_e1.txt").write_text(f"{dialog}_F000 :Neutral; ()\n")
        (labels / f"{dialog}.txt").write_bytes(label_text(dialog, turns).encode())
        (labels / f"._{dialog}.txt").write_bytes(b"\x00\x05\x16\x07stray")
        for turn in turns:
            write_wav(session / "sentences" / "wav" / dialog / f"{dialog}_{turn}.wav")
        (session / "sentences" / "wav" / dialog / f"{dialog}_F000.pk").write_bytes(b"stray")
        (session / "sentences" / "wav" / dialog / f"._{dialog}_F000.wav").write_bytes(b"stray")
        write_wav(session / "dialog" / "wav" / f"{dialog}.wav")
    (root / "README.txt").write_text("stray")
    return root


@pytest.fixture
def whole(root, monkeypatch):
    """The same, as if it were the whole release."""
    monkeypatch.setattr(_iemocap, "OFFICIAL_COUNTS", COUNTS)
    return root


def test_speakers_are_those_of_the_turns(whole):
    bunch = load_iemocap(whole)
    assert len(bunch.data) == sum(COUNTS.values())
    assert all(Path(path).is_file() for path in bunch.data)
    rows = dict(zip(bunch.frame["file"], bunch.groups, strict=True))
    wav = "Session1/sentences/wav/Ses01F_impro01/Ses01F_impro01"
    assert rows[f"{wav}_F000.wav"] == "Ses01F"
    assert rows[f"{wav}_M000.wav"] == "Ses01M"
    wav = "Session1/sentences/wav/Ses01M_script01_1/Ses01M_script01_1"
    assert rows[f"{wav}_F000.wav"] == "Ses01F"
    assert rows[f"{wav}_M000.wav"] == "Ses01M"
    assert set(bunch.groups) == {f"Ses0{n}{s}" for n in range(1, 6) for s in "FM"} - {"Ses04M"}
    assert (
        bunch.frame["gender"] == bunch.frame["speaker"].str[-1].map({"F": "female", "M": "male"})
    ).all()


def test_columns(whole):
    frame = load_iemocap(whole).frame
    assert frame.columns.tolist()[6:] == [
        "session",
        "dialog",
        "subset",
        "valence",
        "activation",
        "dominance",
    ]
    first = frame.iloc[1]
    assert first["dialog"] == "Ses01F_impro01"
    assert first["session"] == "01"
    assert first["subset"] == "improvised"
    assert first[["valence", "activation", "dominance"]].tolist() == [2.5, 3.0, 2.5]
    assert frame["text"].isna().all()
    assert frame["duration"].tolist() == pytest.approx([0.1] * len(frame))
    assert frame["dialog"].iloc[-1] == "Ses05M_script01_1b"


def test_excitement_is_happiness_or_a_class_of_its_own(whole):
    merged = load_iemocap(whole)
    assert merged.target_names == ["anger", "happiness", "neutral", "sadness"]
    assert (merged.target == "happiness").sum() == 5
    apart = load_iemocap(whole, merge_excited=False)
    assert apart.target_names == ["anger", "excitement", "happiness", "neutral", "sadness"]
    assert (apart.target == "excitement").sum() == 3
    assert apart.data == merged.data


@pytest.mark.parametrize(
    ("subset", "n_taken", "other"),
    [
        ("improvised", 8, "scripted dialog"),
        ("scripted", 6, "improvised dialog"),
    ],
)
def test_subsets(whole, subset, n_taken, other):
    bunch = load_iemocap(whole, subset=subset)
    assert set(bunch.frame["subset"]) == {subset}
    assert len(bunch.data) == n_taken
    assert other in bunch.skipped
    n_lines = sum(len(turns) for turns in DIALOGS.values())
    labels = sum(len(v) for k, v in bunch.skipped.items() if k.startswith("label "))
    assert n_taken + len(bunch.skipped[other]) + labels == n_lines


def test_what_was_skipped_is_counted_by_label(whole):
    bunch = load_iemocap(whole)
    counts = {reason: len(files) for reason, files in bunch.skipped.items()}
    n = len(DIALOGS)
    assert counts == {
        "label 'fru'": 1,
        "label 'xxx'": 1,
        "label 'sur'": 1,
        "label 'dis'": 1,
        "label 'oth'": 1,
        "label 'fea'": 1,
        "not a label file": n,
        "not audio": 2 * n,
    }
    assert bunch.skipped["label 'xxx'"] == [
        "Session1/sentences/wav/Ses01M_script01_1/Ses01M_script01_1_MXX0.wav"
    ]
    assert f"took 14, skipped {6 + 3 * n} (" in bunch.DESCR
    assert bunch.name == "iemocap"


def test_the_folder_above_the_release_will_do(whole):
    assert load_iemocap(str(whole.parent)).data == load_iemocap(whole).data


def test_line_ends_and_paths_of_windows(whole, monkeypatch):
    before = load_iemocap(whole)
    for dialog, turns in DIALOGS.items():
        labels = whole / f"Session{dialog[4]}" / "dialog" / "EmoEvaluation" / f"{dialog}.txt"
        content = b"\xef\xbb\xbf" + label_text(dialog, turns, end="\r\n").encode()
        labels.write_bytes(content + b"C-F2:\tOther;\t(caf\xe9)\r\n")
    monkeypatch.chdir(whole.parent.parent)
    after = load_iemocap(f"{whole.parent.name}\\{whole.name}")
    assert after.frame.equals(before.frame)


def test_a_part_of_the_release_warns(root):
    shutil.rmtree(root / "Session3")
    with pytest.warns(IncompleteCorpusWarning, match="missing Session3; 12 of 5531 labels") as got:
        bunch = load_iemocap(root)
    assert [warning.filename for warning in got] == [__file__]
    assert "anger 3 of 1103, excitement 2 of 1041, happiness 2 of 595" in str(got[0].message)
    assert "neutral 2 of 1708, sadness 3 of 1084" in str(got[0].message)
    assert len(bunch.data) == 12


def test_numbers_are_compared_whatever_the_subset(whole):
    (whole / "Session5" / "dialog" / "EmoEvaluation" / "Ses05M_script01_1b.txt").write_text(
        label_text("Ses05M_script01_1b", DIALOGS["Ses05M_script01_1b"] | {"M000": "ang"})
    )
    with pytest.warns(IncompleteCorpusWarning, match="14 of 14 .*anger 4 of 3, sadness 2 of 3"):
        load_iemocap(whole, subset="improvised")


def test_a_label_file_that_is_missing_is_named(whole):
    (whole / "Session1" / "dialog" / "EmoEvaluation" / "Ses01F_impro01.txt").unlink()
    message = r"missing Session1/dialog/EmoEvaluation/Ses01F_impro01\.txt; 11 of 14"
    with pytest.warns(IncompleteCorpusWarning, match=message):
        bunch = load_iemocap(whole)
    assert len(bunch.skipped["its dialog has no label file"]) == 4


def test_recordings_without_a_label_are_warned_of(whole, write_wav):
    stray = "Session1/sentences/wav/Ses01F_impro01/Ses01F_impro01_F009.wav"
    write_wav(whole / stray)
    with pytest.warns(SkippedFilesWarning, match="'IEMOCAP': took 14 .* 1: no label") as got:
        bunch = load_iemocap(whole)
    assert got[0].filename == __file__
    assert bunch.skipped["no label"] == [stray]


def test_an_unknown_label_is_warned_of(whole, monkeypatch):
    labels = whole / "Session4" / "dialog" / "EmoEvaluation" / "Ses04M_impro01.txt"
    labels.write_text(labels.read_text().replace("\tdis\t", "\twow\t"))
    with pytest.warns(SkippedFilesWarning, match="1: unknown label 'wow'"):
        load_iemocap(whole)


@part_of_it
def test_missing_recordings_are_listed(root):
    shutil.rmtree(root / "Session1" / "sentences" / "wav" / "Ses01F_impro01")
    with pytest.raises(CorpusError, match=r"Missing are 3 of 14: .*Ses01F_impro01_F000\.wav, "):
        load_iemocap(root)
    assert len(load_iemocap(root, subset="scripted").data) == 6


@part_of_it
@pytest.mark.parametrize(
    ("inner", "message"),
    [
        ("dialog/EmoEvaluation", "Session2 of .* must hold dialog/EmoEvaluation, its labels"),
        ("sentences/wav", "Session2 of .* must hold sentences/wav, its utterances"),
    ],
)
def test_a_session_must_be_whole(root, inner, message):
    shutil.rmtree(root / "Session2" / inner)
    with pytest.raises(CorpusError, match=message):
        load_iemocap(root)


@part_of_it
def test_a_session_without_a_label_line(root):
    for path in (root / "Session2" / "dialog" / "EmoEvaluation").glob("[!.]*.txt"):
        path.write_text("% no turns\n")
    with pytest.raises(CorpusError, match=r"Session2 .* must hold dialog/EmoEvaluation/\*\.txt"):
        load_iemocap(root)


@pytest.mark.parametrize(
    "line",
    [
        "[6.2901 - 8.2357]\tSes01F_impro01_F000\tneu",
        "[6.2901 - 8.2357]\tSes09F_impro01_F000\tneu\t[2.5000, 2.5000, 2.5000]",
        "[6.2901 - 8.2357]\tSes01F_impro01_X000\tneu\t[2.5000, 2.5000, 2.5000]",
        "[6.2901 8.2357]\tSes01F_impro01_F000\tneu\t[2.5000, 2.5000, 2.5000]",
    ],
)
def test_a_line_that_cannot_be_read_is_named(root, line):
    path = root / "Session1" / "dialog" / "EmoEvaluation" / "Ses01F_impro01.txt"
    path.write_text(f"% header\n\n{line}\n")
    message = r"Line 3 of 'Session1/dialog/EmoEvaluation/Ses01F_impro01\.txt' must be like"
    with pytest.raises(CorpusError, match=message):
        load_iemocap(root)


def test_an_utterance_that_is_labelled_twice(root):
    path = root / "Session1" / "dialog" / "EmoEvaluation" / "Ses01F_impro01.txt"
    path.write_text(path.read_text() * 2)
    with pytest.raises(CorpusError, match=r"name each file once. Named again: Session1/sentences"):
        load_iemocap(root)


def test_an_unreadable_recording(root):
    path = root / "Session1/sentences/wav/Ses01F_impro01/Ses01F_impro01_F000.wav"
    path.write_bytes(b"")
    with pytest.raises(AudioFileError, match=r"1 of 14 .*Ses01F_impro01_F000\.wav \(empty\)"):
        load_iemocap(root)


def test_no_utterance_is_left(root):
    for session in ("Session1", "Session2", "Session5"):
        shutil.rmtree(root / session)
    with pytest.raises(
        CorpusError, match=r"utterances of the subset 'scripted' .* Got none: took 0"
    ):
        load_iemocap(root, subset="scripted")


def test_folders_that_are_no_release(tmp_path):
    with pytest.raises(CorpusError, match=r"'root' parameter of load_iemocap must be .* no folder"):
        load_iemocap(tmp_path / "nowhere")
    with pytest.raises(CorpusError, match=r"Session1 to Session5. Got none of them"):
        load_iemocap(tmp_path)


def test_parameters_are_checked():
    with pytest.raises(ValueError, match="'subset' parameter of load_iemocap must be"):
        load_iemocap(".", subset="impro")
    with pytest.raises(ValueError, match="'merge_excited' parameter of load_iemocap must be"):
        load_iemocap(".", merge_excited="yes")


@pytest.fixture(scope="session")
def official_size(tmp_path_factory):
    """As many labels of each kind as the release has, all with one recording's samples."""
    root = tmp_path_factory.mktemp("official")
    sf.write(root / "tone.wav", np.full(160, 0.1), 16000)
    codes = ["ang"] * 1103 + ["hap"] * 595 + ["exc"] * 1041 + ["neu"] * 1708 + ["sad"] * 1084
    codes += ["fru"] * 1849 + ["xxx"] * 2507 + ["sur"] * 107 + ["fea"] * 40
    dialogs = [f"Ses0{session}{letter}_impro01" for session in range(1, 6) for letter in "FM"]
    for number, dialog in enumerate(dialogs):
        session = root / f"Session{dialog[4]}"
        turns = {f"{'FM'[n % 2]}{n:03}": code for n, code in enumerate(codes[number::10])}
        (session / "dialog" / "EmoEvaluation").mkdir(parents=True, exist_ok=True)
        labels = session / "dialog" / "EmoEvaluation" / f"{dialog}.txt"
        labels.write_bytes(label_text(dialog, turns).encode())
        (session / "sentences" / "wav" / dialog).mkdir(parents=True)
        for turn in turns:
            wav = session / "sentences" / "wav" / dialog / f"{dialog}_{turn}.wav"
            wav.hardlink_to(root / "tone.wav")
    return root


def test_the_official_numbers_give_no_warning(official_size):
    bunch = load_iemocap(official_size)
    counts = dict(zip(*np.unique(bunch.target, return_counts=True), strict=True))
    assert counts == {"anger": 1103, "happiness": 1636, "neutral": 1708, "sadness": 1084}
    assert len(bunch.data) == 5531
    assert len(set(bunch.groups)) == 10
    assert bunch.frame["session"].unique().tolist() == ["01", "02", "03", "04", "05"]
    assert "took 5531, skipped 4503 (2507: label 'xxx'; 1849: label 'fru'" in bunch.DESCR


def test_excitement_apart_has_the_official_number(official_size):
    bunch = load_iemocap(official_size, merge_excited=False)
    assert np.sum(bunch.target == "happiness") == 595
    assert np.sum(bunch.target == "excitement") == 1041
