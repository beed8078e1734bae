"""Corpora that a CSV file lists."""

import numpy as np
import pytest
import soundfile as sf

from skser.audio import load_audio
from skser.datasets import load_table
from skser.exceptions import AudioFileError, CorpusError, TruncatedAudioWarning

HEADER = "file,label,speaker"


@pytest.fixture
def write_csv(tmp_path):
    """Write lines as a table beside the recordings."""

    def write(*lines, encoding="utf-8", end="\n"):
        path = tmp_path / "corpus.csv"
        path.write_bytes((end.join(lines) + end).encode(encoding))
        return path

    return write


@pytest.fixture
def recordings(tmp_path, write_wav):
    """Two short recordings and one long one at 8 kHz."""
    write_wav(tmp_path / "a" / "01.wav", duration=0.1)
    write_wav(tmp_path / "b" / "01.wav", duration=0.2)
    write_wav(tmp_path / "long.wav", duration=2.0, sample_rate=8000)
    return tmp_path


def test_text_stays_text(recordings, write_csv):
    path = write_csv(
        "file,label,speaker,gender,text,age",
        "a/01.wav,anger,03,female,t1,30",
        "b/01.wav,NA,NA,,t1,",
        "long.wav, neutral ,003,male,,40",
    )
    bunch = load_table(path)
    assert bunch.data == [str(recordings / file) for file in bunch.frame["file"]]
    assert bunch.target.tolist() == ["anger", "NA", "neutral"]
    assert bunch.groups.tolist() == ["03", "NA", "003"]
    known = ["file", "label", "speaker", "gender", "text", "duration"]
    assert bunch.frame.columns.tolist() == [*known, "age"]
    assert bunch.frame["gender"].isna().tolist() == [False, True, False]
    assert bunch.frame["text"].isna().tolist() == [False, False, True]
    assert bunch.frame["age"].tolist()[0] == "30"
    assert bunch.frame["duration"].tolist() == pytest.approx([0.1, 0.2, 2.0])
    assert (bunch.name, bunch.DESCR) == ("corpus", "The corpus that corpus.csv lists.")


def test_name_and_description(recordings, write_csv):
    bunch = load_table(write_csv(HEADER, "a/01.wav,x,y"), name="own", descr="Mine.")
    assert (bunch.name, bunch.DESCR) == ("own", "Mine.")


def test_a_table_from_windows(recordings, write_csv):
    path = write_csv(
        HEADER,
        "a\\01.wav,anger,1",
        '"b\\01.wav","joy, loud",2',
        ",,",
        encoding="utf-8-sig",
        end="\r\n",
    )
    bunch = load_table(path)
    assert bunch.frame["file"].tolist() == ["a/01.wav", "b/01.wav"]
    assert bunch.target.tolist() == ["anger", "joy, loud"]


def test_paths_written_as_on_windows(recordings, write_csv, monkeypatch):
    path = write_csv(HEADER, ".\\a\\01.wav,anger,1", "b/01.wav,joy,2")
    monkeypatch.chdir(recordings.parent)
    folder = recordings.name
    by_windows = load_table(f"{folder}\\corpus.csv", root=f".\\{folder}")
    assert by_windows.data == load_table(path).data
    assert by_windows.target.tolist() == ["anger", "joy"]
    twice = write_csv(HEADER, "a\\01.wav,x,1", "a/01.wav,y,2")
    with pytest.raises(CorpusError, match="Named again in line 3"):
        load_table(twice)


def test_files_start_from_root_or_are_absolute(recordings, write_csv, tmp_path_factory):
    path = write_csv(HEADER, "a/01.wav,x,1", f"{recordings / 'long.wav'},y,2")
    moved = tmp_path_factory.mktemp("tables") / "corpus.csv"
    moved.write_bytes(path.read_bytes())
    assert load_table(str(moved), root=recordings).data == load_table(path).data


def test_duration_is_measured(recordings, write_csv):
    bunch = load_table(write_csv("file,label,speaker,duration", "a/01.wav,x,1,99"))
    assert bunch.frame["duration"].tolist() == [0.1]


def test_parts_of_long_recordings_are_waveforms(recordings, write_csv):
    path = write_csv(
        "start,file,label,speaker,end",
        "0.5,long.wav,anger,1,0.75",
        "0.75,long.wav,joy,2,1.25",
        "1.5,long.wav,joy,1,",
        ",long.wav,joy,1,0.25",
        ",a/01.wav,anger,2,",
    )
    bunch = load_table(path, sample_rate=8000)
    whole = load_audio(recordings / "long.wav", sample_rate=8000)
    np.testing.assert_array_equal(bunch.data[0], whole[4000:6000])
    np.testing.assert_array_equal(bunch.data[1], whole[6000:10000])
    np.testing.assert_array_equal(bunch.data[2], whole[12000:])
    np.testing.assert_array_equal(bunch.data[3], whole[:2000])
    assert {waveform.dtype for waveform in bunch.data} == {np.dtype(np.float32)}
    assert bunch.frame["duration"].tolist() == pytest.approx([0.25, 0.5, 0.5, 0.25, 0.1])
    assert bunch.frame["start"].tolist() == [0.5, 0.75, 1.5, 0, 0]
    assert bunch.frame["end"].tolist() == pytest.approx([0.75, 1.25, 2.0, 0.25, 0.1])
    assert bunch.groups.tolist() == ["1", "2", "1", "1", "2"]


def test_parts_are_resampled_as_whole_recordings_are(recordings, write_csv):
    path = write_csv("file,label,speaker,start,end", "long.wav,anger,1,0.5,1.5")
    part = load_table(path).data[0]
    whole = load_audio(recordings / "long.wav", sample_rate=16000)
    assert part.shape == (16000,)
    # The resampler hears nothing beyond the cut, so the edges differ.
    np.testing.assert_allclose(part[500:-500], whole[8500:23500], atol=1e-3)


def test_parts_in_stereo_are_averaged(recordings, write_csv):
    time = np.arange(8000) / 16000
    sf.write(recordings / "two.wav", np.column_stack([time, 0 * time]), 16000, "FLOAT")
    path = write_csv("file,label,speaker,start,end", "two.wav,anger,1,0.25,0.375")
    np.testing.assert_allclose(load_table(path).data[0], time[4000:6000] / 2, atol=1e-7)


def test_empty_columns_of_times_are_no_times(recordings, write_csv):
    bunch = load_table(write_csv("file,label,speaker,start,end", "a/01.wav,x,1,,"))
    assert bunch.data == [str(recordings / "a" / "01.wav")]
    assert "start" not in bunch.frame


def test_an_end_that_was_rounded_up_is_the_end(recordings, write_csv):
    bunch = load_table(write_csv("file,label,speaker,start,end", "a/01.wav,x,1,0,0.109"))
    assert len(bunch.data[0]) == 1600
    assert bunch.frame["end"].tolist() == [0.1]


@pytest.mark.parametrize(
    ("times", "told"),
    [
        ("1,2.5", r"line 2 \(1 to 2.5 of 2 s\)"),
        ("1.5,1", r"line 2 \(1.5 to 1 of 2 s\)"),
        ("1,1", "1 do not: line 2"),
        ("2,", r"line 2 \(2 to 2 of 2 s\)"),
    ],
)
def test_times_must_lie_in_the_recording(recordings, write_csv, times, told):
    path = write_csv("file,label,speaker,start,end", f"long.wav,x,1,{times}")
    with pytest.raises(CorpusError, match=f"start before it ends .*{told}"):
        load_table(path)


@pytest.mark.parametrize("start", ["-1", "soon", "nan", "inf", '"0,5"'])
def test_times_must_be_seconds(recordings, write_csv, start):
    path = write_csv("file,label,speaker,start", "a/01.wav,x,1,0", f"long.wav,x,1,{start}")
    with pytest.raises(CorpusError, match=r"'start' .* must hold seconds, 0 or more.* in line 3"):
        load_table(path)


@pytest.mark.parametrize("name", ["long.wav", "./long.wav", "a/../long.wav"])
def test_an_utterance_is_named_once(recordings, write_csv, name):
    path = write_csv(HEADER, "long.wav,x,1", f"{name},y,2")
    with pytest.raises(CorpusError, match=r"name each utterance once.* Named again in line 3"):
        load_table(path)
    path = write_csv("file,label,speaker,start", "long.wav,x,1,0.5", f"{name},x,1,.50")
    with pytest.raises(CorpusError, match="Named again in line 3"):
        load_table(path)


def test_of_many_missing_files_the_first_ten_are_named(recordings, write_csv):
    path = write_csv(HEADER, "a/01.wav,x,1", *(f"no{i:02}.wav,x,1" for i in range(12)))
    message = r"Missing are 12 of 13: no00\.wav, .*no09\.wav and 2 more"
    with pytest.raises(CorpusError, match=message):
        load_table(path)


def test_a_recording_that_cannot_be_read_is_named(recordings, write_csv):
    (recordings / "bad.wav").write_bytes(b"no sound at all" * 9)
    with pytest.raises(AudioFileError, match=r"1 of 2 recordings .*bad\.wav \(Format"):
        load_table(write_csv(HEADER, "bad.wav,x,1", "a/01.wav,y,2"))


def test_parts_that_are_not_finite_are_named(recordings, write_csv):
    sf.write(recordings / "nan.wav", np.full(1600, np.nan), 16000, "FLOAT")
    path = write_csv("file,label,speaker,end", "nan.wav,x,1,0.05", "a/01.wav,y,2,")
    with pytest.raises(AudioFileError, match=r"nan\.wav' holds NaN"):
        load_table(path)


def test_parts_of_a_truncated_recording_warn_once(recordings, write_csv):
    content = (recordings / "long.wav").read_bytes()
    (recordings / "long.wav").write_bytes(content[:20_044])
    path = write_csv("file,label,speaker,end", "long.wav,x,1,0.5", "long.wav,x,1,1")
    with pytest.warns(TruncatedAudioWarning, match=r"long\.wav' is cut short: 12,000") as got:
        load_table(path)
    assert [warning.filename for warning in got] == [__file__]


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["file,label", "a,b"], "Got 'file', 'label' without speaker"),
        (["file;label;speaker", "a;b;c"], "separated by commas. Got 'file;label;speaker' without"),
        (["file,label,speaker,label", "a,b,c,d"], "must name each column once"),
        ([HEADER], "Got 1 rows"),
        ([""], "Got 0 rows"),
        ([HEADER, "a/01.wav,x,1", "b/01.wav,x"], "must have 3 values, .* Others have line 3"),
        ([HEADER, "a/01.wav,x,1,2"], "Others have line 2"),
        ([HEADER, "a/01.wav,,1", "b/01.wav, ,2"], "'label' .* It has none in line 2, line 3"),
        ([HEADER, 'a/01.wav,"x,1'], "must be a CSV file in UTF-8"),
    ],
)
def test_tables_are_checked(recordings, write_csv, lines, message):
    with pytest.raises(CorpusError, match=message):
        load_table(write_csv(*lines))


def test_tables_that_cannot_be_read(recordings, write_csv):
    with pytest.raises(CorpusError, match=r"no\.csv.* No such file"):
        load_table(recordings / "no.csv")
    with pytest.raises(CorpusError, match="Is a directory"):
        load_table(recordings)
    with pytest.raises(CorpusError, match="can't decode byte"):
        load_table(write_csv(HEADER, "a/01.wav,Ärger,1", encoding="latin-1"))


def test_parameters_are_checked():
    with pytest.raises(ValueError, match="'path' parameter of load_table must be"):
        load_table(3)
    with pytest.raises(ValueError, match="'sample_rate' parameter of load_table must be"):
        load_table("a.csv", sample_rate=0)


def test_both_kinds_feed_the_features(recordings, write_csv):
    from skser import MFCCTransformer

    whole = load_table(write_csv(HEADER, "b/01.wav,x,1"))
    parts = load_table(write_csv("file,label,speaker,start", "b/01.wav,x,1,0"))
    features = [MFCCTransformer().fit_transform(bunch.data) for bunch in (whole, parts)]
    np.testing.assert_array_equal(*features)
