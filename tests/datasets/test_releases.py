"""RAVDESS, SAVEE, CREMA-D and TESS, each as a miniature tree in its official layout."""

import re
from importlib import resources
from itertools import product

import pytest

from skser.datasets import load_crema_d, load_ravdess, load_savee, load_tess
from skser.datasets._crema_d import _WOMEN, CREMA_D
from skser.datasets._ravdess import RAVDESS
from skser.datasets._savee import SAVEE
from skser.datasets._tess import TESS
from skser.exceptions import (
    AudioFileError,
    CorpusError,
    IncompleteCorpusWarning,
    SkippedFilesWarning,
)

LOADERS = {
    "ravdess": (load_ravdess, RAVDESS),
    "savee": (load_savee, SAVEE),
    "crema_d": (load_crema_d, CREMA_D),
    "tess": (load_tess, TESS),
}
NAMES = {
    "ravdess": [
        "Actor_01/03-01-01-01-01-01-01.wav",
        "Actor_01/03-01-05-02-02-01-01.wav",
        "Actor_12/03-01-02-01-02-02-12.wav",
        "Actor_24/03-01-08-01-01-01-24.wav",
    ],
    "savee": [
        "AudioData/DC/a01.wav",
        "AudioData/DC/sa15.wav",
        "AudioData/JE/n30.wav",
        "AudioData/KL/su02.wav",
    ],
    "crema_d": [
        "AudioWAV/1001_DFA_ANG_XX.wav",
        "AudioWAV/1002_IEO_HAP_HI.wav",
        "AudioWAV/1040_ITH_SAD_X.wav",
        "AudioWAV/1091_WSI_NEU_XX.wav",
    ],
    "tess": [
        "OAF_angry/OAF_back_angry.wav",
        "OAF_neutral/OA_bite_neutral.wav",
        "YAF_pleasant_surprised/YAF_back_ps.wav",
        "YAF_sad/YAF_youth_sad.wav",
    ],
}
STRAYS = {
    "ravdess": ["._Actor_01", "Actor_01/._03-01-01-01-01-01-01.wav", "Actor_01/01-01-01.mp4"],
    "savee": ["Info.txt", "AudioData/DC/.DS_Store", "AudioData/DC/._a01.wav", "AudioData/Info.txt"],
    "crema_d": [
        "README.md",
        "VideoDemographics.csv",
        "AudioMP3/1001_DFA_ANG_XX.mp3",
        "AudioWAV/.DS_Store",
        "AudioWAV/._1001_DFA_ANG_XX.wav",
    ],
    "tess": [".DS_Store", "OAF_angry/._OAF_back_angry.wav", "readme.txt"],
}
# label, speaker, gender, text of each of NAMES
EXPECTED = {
    "ravdess": [
        ("neutral", "01", "male", "01"),
        ("anger", "01", "male", "02"),
        ("calm", "12", "female", "02"),
        ("surprise", "24", "female", "01"),
    ],
    "savee": [
        ("anger", "DC", "male", "a01"),
        ("sadness", "DC", "male", "sa15"),
        ("neutral", "JE", "male", "n30"),
        ("surprise", "KL", "male", "su02"),
    ],
    "crema_d": [
        ("anger", "1001", "male", "DFA"),
        ("happiness", "1002", "female", "IEO"),
        ("sadness", "1040", "male", "ITH"),
        ("neutral", "1091", "female", "WSI"),
    ],
    "tess": [
        ("anger", "OAF", "female", "back"),
        ("neutral", "OAF", "female", "bite"),
        ("surprise", "YAF", "female", "back"),
        ("sadness", "YAF", "female", "youth"),
    ],
}
every = pytest.mark.parametrize("corpus", list(LOADERS))
part_of_it = pytest.mark.filterwarnings("ignore::skser.exceptions.IncompleteCorpusWarning")


@pytest.fixture
def root(corpus, tmp_path, write_wav):
    for seed, name in enumerate(NAMES[corpus]):
        write_wav(tmp_path / corpus / name, duration=0.1 * (seed + 1), seed=seed)
    for name in STRAYS[corpus]:
        (tmp_path / corpus / name).parent.mkdir(exist_ok=True)
        (tmp_path / corpus / name).write_bytes(b"stray")
    return tmp_path / corpus


@part_of_it
@every
def test_official_layout_with_strays(corpus, root):
    load, release = LOADERS[corpus]
    bunch = load(root)
    columns = bunch.frame[["label", "speaker", "gender", "text"]]
    assert list(columns.itertuples(index=False, name=None)) == EXPECTED[corpus]
    assert bunch.target.tolist() == [label for label, *_ in EXPECTED[corpus]]
    assert bunch.groups.tolist() == [speaker for _, speaker, *_ in EXPECTED[corpus]]
    assert bunch.frame["duration"].tolist() == pytest.approx([0.1, 0.2, 0.3, 0.4])
    assert list(bunch.skipped) == ["not audio"]
    n_strays = len(bunch.skipped["not audio"])
    assert n_strays == len([s for s in STRAYS[corpus] if s.startswith(release.inner)])
    assert f"took 4, skipped {n_strays} ({n_strays}: not audio)" in bunch.DESCR
    assert bunch.name == corpus
    assert release.title in bunch.DESCR


@part_of_it
@every
def test_the_folder_of_recordings_will_do(corpus, root):
    load, release = LOADERS[corpus]
    if release.inner:
        assert load(root / release.inner).data == load(root).data
    assert len(load(root.parent / corpus).data) == 4


@every
def test_a_part_of_the_corpus_warns_where_it_was_asked_for(corpus, root):
    load, release = LOADERS[corpus]
    message = f"4 of the {release.n_recordings} official .* by . of {release.n_speakers} speakers"
    with pytest.warns(IncompleteCorpusWarning, match=message) as got:
        load(root)
    assert [warning.filename for warning in got] == [__file__]


@every
def test_more_than_the_corpus_warns_as_well(corpus, root, monkeypatch):
    load, release = LOADERS[corpus]
    smaller = type(release)(**{**vars(release), "n_recordings": 3})
    monkeypatch.setitem(load.__wrapped__.__globals__, release.name.upper(), smaller)
    message = f"{release.title} in .*: 4 recordings are there, and the release has 3"
    with pytest.warns(IncompleteCorpusWarning, match=message):
        load(root)


@part_of_it
@every
def test_root_may_be_written_as_on_windows(corpus, root, monkeypatch):
    load, _ = LOADERS[corpus]
    monkeypatch.chdir(root.parent.parent)
    assert load(f"{root.parent.name}\\{corpus}").data == load(root).data


@every
def test_the_whole_corpus_gives_no_warning(corpus, root, monkeypatch):
    load, release = LOADERS[corpus]
    whole = type(release)(**{**vars(release), "n_recordings": 4})
    monkeypatch.setitem(load.__wrapped__.__globals__, release.name.upper(), whole)
    assert len(load(root).data) == 4


@part_of_it
@every
def test_second_copies_are_left_out_with_a_warning(corpus, root, write_wav):
    load, release = LOADERS[corpus]
    folder = root / release.inner
    first = NAMES[corpus][0].removeprefix(f"{release.inner}/")
    write_wav(folder / "z copy" / first)
    with pytest.warns(SkippedFilesWarning, match="1: a second copy of a recording") as got:
        bunch = load(root)
    assert got[0].filename == __file__
    assert len(bunch.data) == 4
    assert bunch.skipped["a second copy of a recording"] == [f"z copy/{first}"]


@part_of_it
@every
def test_foreign_recordings_are_left_out_with_a_warning(corpus, root, write_wav):
    load, release = LOADERS[corpus]
    write_wav(root / release.inner / "music.wav")
    with pytest.warns(SkippedFilesWarning, match=rf"{release.title}.*pattern .first: music\.wav"):
        bunch = load(root)
    assert len(bunch.data) == 4


@every
def test_a_folder_without_the_corpus_is_refused(corpus, tmp_path, write_wav):
    load, release = LOADERS[corpus]
    with pytest.raises(CorpusError, match=f"of load_{corpus} must be .* {release.title}'s"):
        load(tmp_path / "nowhere")
    with pytest.raises(CorpusError, match=f"must hold {release.title}'s .* It is empty"):
        load(tmp_path)
    write_wav(tmp_path / "03a01Fa.wav")
    with pytest.raises(CorpusError, match=r"took 0, skipped 1 .*03a01Fa\.wav"):
        load(tmp_path)
    with pytest.raises(ValueError, match=f"'root' parameter of load_{corpus} must be"):
        load(1)


@every
def test_an_example_of_a_name_is_one(corpus):
    _, release = LOADERS[corpus]
    assert re.search(release.pattern, release.example)


@every
def test_descriptions_name_what_the_code_knows(corpus):
    _, release = LOADERS[corpus]
    descr = resources.files("skser.datasets") / "descr" / f"{corpus}.rst"
    text = descr.read_text(encoding="utf-8")
    assert text.startswith(f".. _{corpus}:")
    assert f" {release.n_recordings}" in text
    assert f" {release.n_speakers} (" in text
    assert all(label in text for label in release.label_map.values())


@part_of_it
def test_songs_of_ravdess_are_left_out_as_declared(tmp_path, write_wav):
    write_wav(tmp_path / "Actor_01" / "03-01-03-01-01-01-01.wav")
    write_wav(tmp_path / "Actor_01" / "03-02-03-01-01-01-01.wav")
    bunch = load_ravdess(tmp_path)
    assert bunch.frame[["intensity", "repetition"]].to_numpy().tolist() == [["normal", "01"]]
    assert bunch.skipped == {"song, not speech": ["Actor_01/03-02-03-01-01-01-01.wav"]}


@part_of_it
@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("03-01-09-01-01-01-01.wav", "unknown label code '09'"),
        ("03-01-01-01-01-01-25.wav", "the name does not match the pattern"),
        ("03-01-01-01-01-01.wav", "the name does not match the pattern"),
        ("01-01-01-01-01-01-01.wav", "the name does not match the pattern"),
    ],
)
def test_odd_names_of_ravdess(tmp_path, write_wav, name, reason):
    write_wav(tmp_path / "03-01-03-01-01-01-01.wav")
    write_wav(tmp_path / name)
    with pytest.warns(SkippedFilesWarning, match=reason):
        assert load_ravdess(tmp_path).skipped == {reason: [name]}


def test_official_names_of_ravdess_all_parse():
    emotions = [(e, i) for e, i in product(range(1, 9), (1, 2)) if (e, i) != (1, 2)]
    names = [
        f"03-01-{e:02}-{i:02}-{s:02}-{r:02}-{a:02}.wav"
        for (e, i), s, r, a in product(emotions, (1, 2), (1, 2), range(1, 25))
    ]
    assert len(names) == RAVDESS.n_recordings
    assert all(re.search(RAVDESS.pattern, name) for name in names)


def test_official_names_of_savee_all_parse():
    numbers = {code: 30 if code == "n" else 15 for code in SAVEE.label_map}
    names = [
        f"{speaker}/{code}{number:02}.wav"
        for speaker in ("DC", "JE", "JK", "KL")
        for code, count in numbers.items()
        for number in range(1, count + 1)
    ]
    assert len(names) == SAVEE.n_recordings
    assert all(re.search(SAVEE.pattern, name)["label"] in SAVEE.label_map for name in names)


@part_of_it
def test_savee_in_one_folder(tmp_path, write_wav):
    write_wav(tmp_path / "ALL" / "DC_a01.wav")
    write_wav(tmp_path / "ALL" / "JK_su15.wav")
    bunch = load_savee(tmp_path)
    assert bunch.groups.tolist() == ["DC", "JK"]
    assert bunch.target.tolist() == ["anger", "surprise"]


def test_actors_of_crema_d():
    speakers = re.compile(CREMA_D.pattern)
    actors = [a for a in range(10_000) if speakers.search(f"{a:04}_DFA_ANG_XX.wav")]
    assert actors == list(range(1001, 1092))
    assert len(_WOMEN) == 43


@part_of_it
def test_levels_of_crema_d(tmp_path, write_wav):
    for level in ("HI", "LO", "MD", "XX"):
        write_wav(tmp_path / f"1001_IEO_ANG_{level}.wav")
    levels = load_crema_d(tmp_path).frame["level"].tolist()
    assert levels == ["high", "low", "medium", "unspecified"]


@part_of_it
def test_a_clone_of_crema_d_without_git_lfs(tmp_path):
    (tmp_path / "AudioWAV").mkdir()
    pointer = tmp_path / "AudioWAV" / "1001_DFA_ANG_XX.wav"
    pointer.write_text("version https://git-lfs.github.com/spec/v1\n")
    with pytest.raises(AudioFileError, match="a Git LFS pointer; 'git lfs pull' fetches"):
        load_crema_d(tmp_path)


@part_of_it
def test_the_name_of_tess_that_lacks_a_letter_is_no_third_speaker(tmp_path, write_wav):
    write_wav(tmp_path / "OA_bite_neutral.wav")
    write_wav(tmp_path / "OAF_back_neutral.wav")
    assert load_tess(tmp_path).groups.tolist() == ["OAF", "OAF"]
