"""Reading EMO-DB from the disk."""

import shutil
import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skser.datasets import _emodb, load_emodb
from skser.exceptions import (
    AudioFileError,
    CorpusError,
    IncompleteCorpusWarning,
    SkippedFilesWarning,
)

part_of_it = pytest.mark.filterwarnings("ignore::skser.exceptions.IncompleteCorpusWarning")


# --- the real corpus -------------------------------------------------------------------------


def test_real_corpus_is_complete_and_unaltered(emodb_root):
    bunch = load_emodb(emodb_root, verify=True)
    assert len(bunch.data) == len(bunch.target) == len(bunch.groups) == len(bunch.frame) == 535
    assert bunch.frame["duration"].sum() == pytest.approx(1487, abs=0.5)
    assert bunch.frame["duration"].min() == pytest.approx(1.23, abs=0.005)
    assert bunch.frame["duration"].max() == pytest.approx(8.98, abs=0.005)
    assert not bunch.frame.isna().any().any()
    assert all(Path(path).is_file() for path in bunch.data)


def test_real_counts_by_emotion_and_speaker(emodb_root):
    bunch = load_emodb(emodb_root)
    labels = dict(zip(*np.unique(bunch.target, return_counts=True), strict=True))
    assert labels == {
        "anger": 127,
        "boredom": 81,
        "neutral": 79,
        "happiness": 71,
        "fear": 69,
        "sadness": 62,
        "disgust": 46,
    }
    speakers = dict(zip(*np.unique(bunch.groups, return_counts=True), strict=True))
    assert speakers == {
        "03": 49,
        "08": 58,
        "09": 43,
        "10": 38,
        "11": 55,
        "12": 35,
        "13": 61,
        "14": 69,
        "15": 56,
        "16": 71,
    }
    genders = bunch.frame.groupby("gender")["speaker"].unique().map(sorted).to_dict()
    assert genders == {
        "female": ["08", "09", "13", "14", "16"],
        "male": ["03", "10", "11", "12", "15"],
    }
    assert not ((bunch.groups == "08") & (bunch.target == "disgust")).any()
    assert bunch.frame["text"].nunique() == 10


def test_real_recording_altered_by_one_byte_is_found(emodb_root, tmp_path):
    shutil.copytree(emodb_root / "wav", tmp_path / "wav")
    victim = tmp_path / "wav" / "11a05Fb.wav"
    victim.chmod(0o644)
    content = bytearray(victim.read_bytes())
    content[-1] ^= 1
    victim.write_bytes(content)
    lost = tmp_path / "wav" / "16b10Wb.wav"
    lost.unlink()
    with pytest.raises(CorpusError, match=r"1 missing: 16b10Wb\.wav; 1 altered: 11a05Fb\.wav\."):
        load_emodb(tmp_path, verify=True)
    with pytest.warns(IncompleteCorpusWarning, match=r"1 of the 535 .* \(first: 16b10Wb\.wav\)"):
        assert len(load_emodb(tmp_path).data) == 534


# --- miniature corpora -----------------------------------------------------------------------


@part_of_it
@pytest.mark.parametrize("inside", ["", "wav"])
def test_root_is_the_folder_of_wav_or_wav_itself(mini_emodb, inside):
    bunch = load_emodb(mini_emodb / inside)
    assert [Path(path).name for path in bunch.data] == bunch.frame["file"].tolist()
    assert bunch.frame["file"].tolist() == sorted(bunch.frame["file"])
    assert bunch.target.tolist() == ["happiness", "anger", "neutral", "boredom", "disgust"]
    assert bunch.groups.tolist() == ["03", "03", "08", "16", "16"]
    assert bunch.frame["gender"].tolist() == ["male", "male", "female", "female", "female"]
    assert bunch.frame["text"].tolist() == ["a01", "a01", "b10", "a07", "b09"]
    np.testing.assert_allclose(bunch.frame["duration"], [0.1, 0.2, 0.3, 0.4, 0.5])
    assert bunch.target_names == ["anger", "boredom", "disgust", "happiness", "neutral"]
    assert bunch.name == "emodb"
    assert "Burkhardt" in bunch.DESCR


@part_of_it
def test_root_may_be_relative_or_str(mini_emodb, monkeypatch):
    monkeypatch.chdir(mini_emodb.parent)
    assert load_emodb("emodb").data == load_emodb(mini_emodb).data


def test_a_part_of_the_corpus_warns_where_it_was_asked_for(mini_emodb):
    with pytest.warns(IncompleteCorpusWarning, match="530 of the 535 official recordings") as got:
        load_emodb(mini_emodb)
    assert got[0].filename == __file__


def test_a_recording_that_was_never_published_warns(mini_emodb, write_wav):
    write_wav(mini_emodb / "wav" / "03a01Ff.wav")
    with pytest.warns(IncompleteCorpusWarning, match=r"1 are not part .* \(first: 03a01Ff\.wav\)"):
        load_emodb(mini_emodb)


def test_verify_tells_missing_foreign_and_altered_apart(mini_emodb, write_wav):
    write_wav(mini_emodb / "wav" / "03a01Ff.wav")
    with pytest.raises(CorpusError, match=r"530 missing: .* and 520 more") as error:
        load_emodb(mini_emodb, verify=True)
    assert "1 not part of the release: 03a01Ff.wav" in str(error.value)
    assert "5 altered: 03a01Fa.wav, 03a01Wa.wav" in str(error.value)


@part_of_it
def test_files_that_are_no_recordings_are_counted(mini_emodb):
    for stray in ("erkennung.txt", ".DS_Store", "wav/._03a01Fa.wav", "wav/notes.md"):
        (mini_emodb / stray).write_bytes(b"stray")
    (mini_emodb / "lablaut").mkdir()
    (mini_emodb / "lablaut" / "03a01Fa.lablaut").write_bytes(b"stray")
    bunch = load_emodb(mini_emodb)
    assert len(bunch.data) == 5
    assert bunch.skipped == {"not audio": ["._03a01Fa.wav", "notes.md"]}
    assert bunch.DESCR.endswith("This reading took 5, skipped 2 (2: not audio).\n")


@part_of_it
def test_recordings_of_another_format_are_left_out_with_a_warning(mini_emodb):
    for stray in ("08a01Fa.flac", "09a01Fa.m4a"):
        (mini_emodb / "wav" / stray).write_bytes(b"stray")
    with pytest.warns(SkippedFilesWarning, match="'EMO-DB': took 5 .*08a01Fa.flac.*09a01Fa") as got:
        bunch = load_emodb(mini_emodb)
    assert got[0].filename == __file__
    assert sorted(bunch.skipped) == [
        "audio of a format that is not read",
        "no WAV file, as EMO-DB's are",
    ]


@part_of_it
def test_root_may_be_written_as_on_windows(mini_emodb, monkeypatch):
    monkeypatch.chdir(mini_emodb.parent.parent)
    assert load_emodb(f"{mini_emodb.parent.name}\\emodb\\wav").data == load_emodb(mini_emodb).data


@pytest.mark.parametrize(
    "name",
    [
        "04a01Fa.wav",  # no such speaker
        "03a03Fa.wav",  # no such text
        "03a01Xa.wav",  # no such emotion
        "03a01F.wav",  # no version
        "03a01Fa.WAV",
        "03a01Fa copy.wav",
        "03a01Fa.wav\n.wav",
        "music.wav",
    ],
)
def test_odd_names_are_named(mini_emodb, write_wav, name):
    write_wav(mini_emodb / "wav" / "tmp.wav").rename(mini_emodb / "wav" / name)
    with pytest.raises(CorpusError, match="Got 1 other in ") as error:
        load_emodb(mini_emodb)
    assert name in str(error.value)


def test_of_many_odd_names_the_first_ten_are_named(mini_emodb):
    for i in range(14):
        (mini_emodb / "wav" / f"odd{i:02d}.wav").touch()
    with pytest.raises(CorpusError, match=r"Got 14 other .*odd00\.wav.*odd09\.wav and 4 more\."):
        load_emodb(mini_emodb)


@given(st.text(alphabet="0123456789abWLEAFTN.", max_size=12))
def test_only_names_of_the_corpus_are_read(stem):
    parts = _emodb._FILE_NAME.fullmatch(f"{stem}.wav")
    valid = (
        len(stem) == 7
        and stem[:2] in _emodb.GENDERS
        and stem[2:5] in _emodb.TEXTS
        and stem[5] in _emodb.EMOTIONS
        and stem[6] in "abcdef"
    )
    assert (parts is not None) == valid


def test_official_names_all_parse():
    hashes = _emodb._official_hashes()
    assert len(hashes) == len(set(hashes.values())) == 535
    assert all(_emodb._FILE_NAME.fullmatch(file) for file in hashes)
    assert all(len(sha256) == 64 for sha256 in hashes.values())


@part_of_it
def test_all_unreadable_recordings_are_named(mini_emodb):
    for name in ("03a01Fa.wav", "08b10Nc.wav"):
        (mini_emodb / "wav" / name).write_bytes(b"")
    with pytest.raises(AudioFileError, match=r"^2 of 5 recordings .*03a01Fa\.wav.*08b10Nc\.wav"):
        load_emodb(mini_emodb)


@part_of_it
@pytest.mark.parametrize(
    ("content", "reason"),
    [(b"", "empty"), (b"RIFF", "Format not"), (b"no sound at all" * 10, "Format not recognised")],
)
def test_an_unreadable_recording_is_named(mini_emodb, content, reason):
    (mini_emodb / "wav" / "08b10Nc.wav").write_bytes(content)
    message = rf"1 of 5 recordings in .* cannot be read: 08b10Nc\.wav \({reason}.*good copies"
    with pytest.raises(AudioFileError, match=message):
        load_emodb(mini_emodb)


def test_missing_folder_says_what_to_pass(tmp_path):
    with pytest.raises(CorpusError, match="must be the folder that EMO-DB was unpacked into"):
        load_emodb(tmp_path / "nowhere")


def test_a_file_is_no_folder(tmp_path):
    (tmp_path / "download.zip").touch()
    with pytest.raises(CorpusError, match="which is no folder"):
        load_emodb(tmp_path / "download.zip")


def test_empty_folder(tmp_path):
    with pytest.raises(CorpusError, match=r"such as 03a01Fa\.wav\. Got no WAV file"):
        load_emodb(tmp_path)


def test_parameters_are_checked():
    with pytest.raises(ValueError, match="The 'root' parameter of load_emodb must be"):
        load_emodb(42)
    with pytest.raises(ValueError, match="The 'verify' parameter of load_emodb must be"):
        load_emodb("emodb", verify="yes")


def test_no_other_warning_from_the_real_corpus(emodb_root):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        load_emodb(emodb_root)
