"""The Bunch that every corpus is."""

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from skser.datasets import make_bunch
from skser.exceptions import CorpusError


def table(**columns):
    given = {"file": ["b.wav", "a.wav"], "label": ["sad", "glad"], "speaker": [1, 2]}
    return pd.DataFrame(given | columns)


def test_paths_are_absolute_and_labels_are_str(tmp_path):
    bunch = make_bunch(table(), name="own", descr="Mine.", root=tmp_path)
    assert bunch.data == [str(tmp_path / "b.wav"), str(tmp_path / "a.wav")]
    assert bunch.target.tolist() == ["sad", "glad"]
    assert bunch.groups.tolist() == ["1", "2"]
    assert bunch.target.dtype.kind == bunch.groups.dtype.kind == "U"
    assert bunch.target_names == ["glad", "sad"]
    assert (bunch.name, bunch.DESCR) == ("own", "Mine.")


def test_a_relative_root_starts_from_the_working_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    bunch = make_bunch(table(), name="own", descr="", root="sub")
    assert bunch.data[0] == str(tmp_path / "sub" / "b.wav")


def test_frame_has_the_known_columns_first_and_keeps_the_others():
    bunch = make_bunch(table(age=[30, 40], duration=[1.0, 2.0]), name="own", descr="")
    known = ["file", "label", "speaker", "gender", "text", "duration"]
    assert bunch.frame.columns.tolist() == [*known, "age"]
    assert bunch.frame["gender"].isna().all()
    assert bunch.frame["duration"].tolist() == [1.0, 2.0]


def test_rows_are_numbered_anew_and_the_table_given_is_not_changed():
    given = table().set_axis([7, 9])
    before = given.copy()
    bunch = make_bunch(given, name="own", descr="")
    assert bunch.frame.index.tolist() == [0, 1]
    pd.testing.assert_frame_equal(given, before)


def test_waveforms_stay_as_they_are():
    waveforms = [np.zeros(3, np.float32), np.ones(5, np.float32)]
    bunch = make_bunch(table(), name="own", descr="", data=waveforms)
    assert bunch.data[0] is waveforms[0]
    assert bunch.data[1] is waveforms[1]


def test_parts_of_one_file_are_told_apart_by_their_times():
    parts = table(file=["a.wav", "a.wav"], start=[0.0, 0.0], end=[1.0, 2.0])
    assert make_bunch(parts, name="own", descr="", data=[0, 0]).frame["end"].tolist() == [1, 2]
    with pytest.raises(CorpusError, match=r"name each file once. Named again: a\.wav"):
        make_bunch(parts.assign(end=1.0), name="own", descr="")


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (table().drop(columns=["label", "speaker"]), "Missing: label, speaker"),
        (table().iloc[:0], "must have at least one row"),
        (table(label=["sad", None]), "'label' of corpus 'own' must have a value in every row"),
        (table(file=["a.wav", "a.wav"]), "must name each file once. Named again: a.wav"),
    ],
)
def test_a_table_that_is_no_corpus_is_refused(frame, message):
    with pytest.raises(CorpusError, match=message):
        make_bunch(frame, name="own", descr="")


def test_as_many_waveforms_as_rows():
    with pytest.raises(CorpusError, match="Got 1 waveforms and 2 rows"):
        make_bunch(table(), name="own", descr="", data=[np.zeros(3)])


def test_import_is_light():
    code = (
        "import sys, skser.datasets as d; [getattr(d, name) for name in d.__all__];"
        "print([m for m in ('tensorflow', 'keras', 'librosa', 'matplotlib', 'requests', 'pooch')"
        " if m in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
