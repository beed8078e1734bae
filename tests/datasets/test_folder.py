"""Folders of recordings whose names say who speaks and how."""

import os
import re
from pathlib import Path, PureWindowsPath

import numpy as np
import pytest
import soundfile as sf
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from skser.datasets import _reading, load_audio_folder
from skser.exceptions import AudioFileError, CorpusError, SkippedFilesWarning

PATTERN = r"^(?P<speaker>[a-z]+)/(?P<label>[a-z]+)_(?P<take>\d+)\."
LABELS = {"joy": "happiness", "rage": "anger", "test": None}
some_left_out = pytest.mark.filterwarnings("ignore::skser.exceptions.SkippedFilesWarning")


@pytest.fixture
def root(tmp_path, write_wav):
    """Four recordings by two speakers."""
    for seed, name in enumerate(["ben/joy_1", "anna/joy_1", "anna/rage_1", "ben/rage_2"]):
        write_wav(tmp_path / "speech" / f"{name}.wav", duration=0.1 * (seed + 1), seed=seed)
    return tmp_path / "speech"


def test_named_groups_become_columns(root):
    bunch = load_audio_folder(root, PATTERN, label_map=LABELS)
    files = ["anna/joy_1.wav", "anna/rage_1.wav", "ben/joy_1.wav", "ben/rage_2.wav"]
    assert bunch.frame["file"].tolist() == files
    assert bunch.data == [str(root / file) for file in files]
    assert bunch.target.tolist() == ["happiness", "anger", "happiness", "anger"]
    assert bunch.groups.tolist() == ["anna", "anna", "ben", "ben"]
    assert bunch.frame["take"].tolist() == ["1", "1", "1", "2"]
    np.testing.assert_allclose(bunch.frame["duration"], [0.2, 0.3, 0.1, 0.4])
    assert bunch.skipped == {}
    assert bunch.name == "folder"
    assert "took 4, skipped 0." in bunch.DESCR


def test_without_a_map_the_text_is_the_label(root):
    bunch = load_audio_folder(str(root), re.compile(PATTERN), name="own", descr="Mine.")
    assert bunch.target_names == ["joy", "rage"]
    assert bunch.name == "own"
    assert bunch.DESCR == "Mine.\n\n**Files.** This reading took 4, skipped 0.\n"


def test_every_audio_format_in_any_case(tmp_path):
    tone = 0.5 * np.sin(np.arange(1600) / 5)
    names = ["a_x.WAV", "b_x.flac", "c_x.Ogg", "d_x.mp3"]
    for name in names:
        sf.write(tmp_path / name, tone, 16000, format=name[-3:].replace("lac", "FLAC"))
    bunch = load_audio_folder(tmp_path, r"^(?P<speaker>\w)_(?P<label>\w)")
    assert bunch.frame["file"].tolist() == names


def test_files_that_are_no_audio_are_counted_in_silence(root):
    strays = [".DS_Store", "anna/._joy_1.wav", "anna/notes.txt", "ben/joy_1.wav.bak"]
    for stray in strays:
        (root / stray).write_bytes(b"stray")
    (root / ".git").mkdir()
    (root / ".git" / "joy_1.wav").write_bytes(b"stray")
    bunch = load_audio_folder(root, PATTERN)
    assert len(bunch.data) == 4
    assert bunch.skipped == {"not audio": sorted(strays)}
    assert "took 4, skipped 4 (4: not audio)" in bunch.DESCR


def test_what_is_mapped_to_none_was_meant(root, write_wav):
    write_wav(root / "anna" / "test_1.wav")
    bunch = load_audio_folder(root, PATTERN, label_map=LABELS)
    assert len(bunch.data) == 4
    assert bunch.skipped == {"label code 'test' is mapped to None": ["anna/test_1.wav"]}


def test_other_recordings_are_counted_by_reason_and_warned_of(root, write_wav):
    for name in ("music.wav", "ben/hum.wav", "ben/awe_1.wav", "ben/test_1.wav"):
        write_wav(root / name)
    (root / "notes.txt").touch()
    with pytest.warns(SkippedFilesWarning, match="'folder': took 4 recordings") as got:
        bunch = load_audio_folder(root, PATTERN, label_map=LABELS)
    assert len(got) == 1
    assert got[0].filename == __file__
    message = str(got[0].message)
    assert "2: the name does not match the pattern (first: ben/hum.wav)" in message
    assert "1: unknown label code 'awe' (first: ben/awe_1.wav)" in message
    assert "None" not in message
    assert "not audio" not in message
    assert bunch.skipped == {
        "the name does not match the pattern": ["ben/hum.wav", "music.wav"],
        "unknown label code 'awe'": ["ben/awe_1.wav"],
        "label code 'test' is mapped to None": ["ben/test_1.wav"],
        "not audio": ["notes.txt"],
    }
    assert "took 4, skipped 5 (2: the name" in bunch.DESCR


def test_a_group_that_takes_no_part_gives_no_speaker(root, write_wav):
    write_wav(root / "joy_1.wav")
    with pytest.warns(SkippedFilesWarning, match="finds no speaker or no label .first: joy_1"):
        bunch = load_audio_folder(root, r"(?:(?P<speaker>\w+)/)?(?P<label>joy|rage)_")
    assert len(bunch.data) == 4


def test_links_to_folders_are_followed_once(root, tmp_path, write_wav):
    write_wav(tmp_path / "elsewhere" / "joy_1.wav")
    (root / "carl").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    (root / "anna" / "loop").symlink_to(root, target_is_directory=True)
    bunch = load_audio_folder(root, PATTERN)
    assert bunch.groups.tolist() == ["anna", "anna", "ben", "ben", "carl"]


def test_a_second_link_to_a_folder_is_read_as_well(root, write_wav):
    """Which of two names for one folder the pattern knows, is not for the order to decide."""
    write_wav(root / "zoe" / "joy_1.wav")
    (root / "a link").symlink_to(root / "zoe", target_is_directory=True)
    with pytest.warns(SkippedFilesWarning, match=r"\(first: a link/joy_1\.wav\)"):
        bunch = load_audio_folder(root, PATTERN)
    assert bunch.groups.tolist() == ["anna", "anna", "ben", "ben", "zoe"]


def test_formats_that_are_not_read_are_warned_of(root):
    for name in ("anna/joy_2.m4a", "ben/joy_2.AIFF", "ben/._joy_2.m4a"):
        (root / name).write_bytes(b"stray")
    with pytest.warns(SkippedFilesWarning, match=r"2: audio of a format .*first: anna/joy_2\.m4a"):
        bunch = load_audio_folder(root, PATTERN)
    assert bunch.skipped == {
        "audio of a format that is not read": ["anna/joy_2.m4a", "ben/joy_2.AIFF"],
        "not audio": ["ben/._joy_2.m4a"],
    }


def test_a_path_of_windows_is_understood_elsewhere(root, monkeypatch):
    monkeypatch.chdir(root.parent.parent)
    written = PureWindowsPath(root.parent.name, "speech")
    assert len(load_audio_folder(str(written), PATTERN).data) == 4


def test_a_folder_that_cannot_be_read_is_not_passed_over(root, monkeypatch):
    scandir = os.scandir

    def refuse(path):
        if Path(path).name == "ben":
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(CorpusError, match=r"ben' cannot be read \(Permission denied\)"):
        load_audio_folder(root, PATTERN)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty"),
        (b"no sound at all" * 10, "Format not recognised"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0", "'git lfs pull' fetches"),
    ],
)
def test_all_unreadable_recordings_are_named(root, content, reason):
    for name in ("anna/joy_1.wav", "ben/rage_2.wav"):
        (root / name).write_bytes(content)
    with pytest.raises(AudioFileError, match="2 of 4 recordings") as error:
        load_audio_folder(root, PATTERN)
    assert reason in str(error.value)
    assert "ben/rage_2.wav (" in str(error.value)


def test_a_recording_without_samples_is_named(root):
    sf.write(root / "anna" / "joy_1.wav", np.zeros(0), 16000)
    with pytest.raises(AudioFileError, match=r"1 of 4 .* anna/joy_1\.wav \(no samples\)"):
        load_audio_folder(root, PATTERN)


def test_a_dead_link_is_named(root):
    (root / "anna" / "rage_9.wav").symlink_to(root / "nowhere.wav")
    with pytest.raises(AudioFileError, match=r"anna/rage_9\.wav \(no such file\)"):
        load_audio_folder(root, PATTERN)


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        (r"(?P<speaker>\w+", r"must be a regular expression\. Got .*missing \)"),
        (r"(?P<speaker>\w+)", "without label"),
        (r"(\w+)_(\w+)", "without speaker and label"),
        (r"(?P<speaker>a)(?P<label>b)(?P<file>c)", "must not have a group named file"),
        (re.compile(rb"(?P<speaker>a)(?P<label>b)"), "must match text"),
    ],
)
def test_patterns_are_checked(root, pattern, message):
    with pytest.raises(CorpusError, match=message):
        load_audio_folder(root, pattern)


@pytest.mark.parametrize("label_map", [{1: "anger"}, {"joy": 1}, {"joy": ""}])
def test_maps_are_checked(root, label_map):
    with pytest.raises(CorpusError, match=r"'label_map' .* must map text to text or None"):
        load_audio_folder(root, PATTERN, label_map=label_map)


def test_parameters_are_checked():
    with pytest.raises(ValueError, match="'root' parameter of load_audio_folder must be"):
        load_audio_folder(3, PATTERN)
    with pytest.raises(ValueError, match="'label_map' parameter of load_audio_folder must be"):
        load_audio_folder(".", PATTERN, label_map=["joy"])


def test_missing_and_empty_folders(tmp_path):
    with pytest.raises(CorpusError, match=r"'root' parameter of load_audio_folder .* no folder"):
        load_audio_folder(tmp_path / "nowhere", PATTERN)
    with pytest.raises(CorpusError, match=r"whose path matches the pattern .* It is empty"):
        load_audio_folder(tmp_path, PATTERN)


def test_if_nothing_is_left_the_reasons_are_told(root):
    with pytest.raises(CorpusError, match=r"took 0, skipped 4 .* First of each: .*anna/joy_1.wav"):
        load_audio_folder(root, r"(?P<speaker>\d)(?P<label>\d)")
    with pytest.raises(CorpusError, match="2: label code 'joy' is mapped to None"):
        load_audio_folder(root, PATTERN, label_map={"joy": None})


@some_left_out
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
@given(
    names=st.lists(
        st.text(alphabet="ab_.wavx", min_size=1, max_size=9).filter(lambda n: n.strip(".")),
        max_size=6,
        unique=True,
    )
)
def test_no_file_is_lost(tmp_path_factory, monkeypatch, names):
    """Whatever the names, each file is either taken or counted once."""
    monkeypatch.setattr(
        "skser.datasets._folder.read_durations", lambda folder, files: [1.0] * len(files)
    )
    folder = tmp_path_factory.mktemp("any")
    for name in names:
        (folder / name).touch()
    (folder / "a_b.wav").touch()
    bunch = load_audio_folder(folder, r"(?P<speaker>a)_(?P<label>b)")
    skipped = [file for files in bunch.skipped.values() for file in files]
    assert sorted([*bunch.frame["file"], *skipped]) == sorted({*names, "a_b.wav"})


def test_audio_is_told_by_its_name():
    assert _reading.is_audio("a/b.MP3")
    assert not _reading.is_audio("a/._b.wav")
    assert not _reading.is_audio("a.wav/b")


def test_reading_twice_gives_the_same(root):
    first, second = (load_audio_folder(root, PATTERN) for _ in range(2))
    assert first.frame.equals(second.frame)
