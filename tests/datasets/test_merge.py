"""Several corpora as one."""

import numpy as np
import pandas as pd
import pytest
from sklearn.utils import Bunch

from skser.datasets import (
    load_crema_d,
    load_emodb,
    load_savee,
    make_bunch,
    make_emotional_speech,
    merge_corpora,
)
from skser.exceptions import CorpusError, LabelMismatchWarning

part_of_it = pytest.mark.filterwarnings("ignore::skser.exceptions.IncompleteCorpusWarning")


def corpus(name, labels, *, descr="", **columns):
    """Make a corpus of two speakers "1" and "2" in turn, with the label of each utterance."""
    frame = pd.DataFrame(
        {
            "file": [f"{n}.wav" for n in range(len(labels))],
            "label": labels,
            "speaker": [str(n % 2 + 1) for n in range(len(labels))],
        }
        | columns
    )
    return make_bunch(frame, name=name, descr=descr, root=f"/{name}")


@pytest.fixture
def two():
    """Two corpora, of five utterances in three emotions and of three in other three."""
    return [
        corpus("a", ["joy", "rage", "joy", "calm", "calm"], text=["t1", "t2", None, "t1", "t1"]),
        corpus("b", ["rage", "awe", "joy"], session=["01", "01", "02"], age=[30, 40, 50]),
    ]


SAME = {"joy": "joy", "rage": "rage", "calm": "joy", "awe": None}


def test_columns_by_hand(two):
    merged = merge_corpora(two, label_map=SAME)
    frame = merged.frame
    assert merged.target.tolist() == ["joy", "rage", "joy", "joy", "joy", "rage", "joy"]
    assert merged.groups.tolist() == ["a:1", "a:2", "a:1", "a:2", "a:1", "b:1", "b:1"]
    assert frame["corpus"].tolist() == ["a"] * 5 + ["b"] * 2
    assert frame["file"].tolist() == [f"a:{n}.wav" for n in range(5)] + ["b:0.wav", "b:2.wav"]
    assert merged.data == [f"/a/{n}.wav" for n in range(5)] + ["/b/0.wav", "/b/2.wav"]
    assert frame["text"].fillna("-").tolist() == ["a:t1", "a:t2", "-", "a:t1", "a:t1", "-", "-"]
    assert frame["session"].fillna("-").tolist() == ["-"] * 5 + ["b:01", "b:02"]
    assert frame["age"].tolist()[5:] == [30, 50]
    assert frame["age"].isna().sum() == 5
    assert frame.index.tolist() == list(range(7))
    assert merged.target_names == ["joy", "rage"]
    assert merged.name == "a+b"
    assert merged.left_out == {"a": {}, "b": {"awe": 1}}


def test_the_corpora_given_are_not_changed(two):
    before = [part.frame.copy() for part in two]
    merge_corpora(two, label_map=SAME)
    for part, frame in zip(two, before, strict=True):
        pd.testing.assert_frame_equal(part.frame, frame)


def test_a_map_for_each_corpus(two):
    maps = {
        "a": {"joy": "glad", "rage": "mad", "calm": None},
        "b": {"joy": "mad", "rage": "glad", "awe": "glad"},
    }
    merged = merge_corpora(two, label_map=maps, name="both")
    assert merged.target.tolist() == ["glad", "mad", "glad", "glad", "glad", "mad"]
    assert merged.left_out == {"a": {"calm": 2}, "b": {}}
    assert merged.name == "both"


def test_the_description_counts_what_was_left_out():
    parts = [
        corpus("a", ["joy", "rage", "calm", "calm"], descr="All of a."),
        corpus("b", ["joy"], descr="All of b."),
    ]
    merged = merge_corpora(parts, label_map={"joy": "joy", "rage": None, "calm": None})
    assert merged.DESCR == (
        "The corpora a, b as one.\n\n"
        "**Parts.** 1 of the 4 utterances of a were taken; left out by their label: "
        "2 calm, 1 rage. 1 of the 1 utterances of b were taken.\n\nAll of a.\nAll of b."
    )


def test_one_corpus_alone_gets_other_labels(two):
    merged = merge_corpora(two[:1], label_map={"joy": "up", "rage": "up", "calm": None})
    assert merged.target.tolist() == ["up"] * 3
    assert merged.groups.tolist() == ["a:1", "a:2", "a:1"]
    assert merged.left_out == {"a": {"calm": 2}}
    assert merged.name == "a"
    assert merge_corpora(two[:1]).target.tolist() == two[0].target.tolist()


def test_equal_labels_need_no_map(two):
    merged = merge_corpora((corpus("a", ["joy", "rage"]), corpus("b", ["rage", "joy"])))
    assert merged.target.tolist() == ["joy", "rage", "rage", "joy"]
    assert merged.left_out == {"a": {}, "b": {}}


def test_labels_of_some_corpora_only_are_warned_of(two):
    three = [*two, corpus("c", ["joy", "calm"])]
    message = (
        r"not in all of the corpora a, b, c: awe \(only in b\); calm \(only in a, c\); "
        r"rage \(only in a, b\)\."
    )
    with pytest.warns(LabelMismatchWarning, match=message) as got:
        merged = merge_corpora(three)
    assert [warning.filename for warning in got] == [__file__]
    assert len(merged.data) == 10
    assert merged.target_names == ["awe", "calm", "joy", "rage"]


def test_target_and_groups_hold_where_they_were_changed(two):
    part = two[0]
    part.target = np.array(["joy", "joy", "rage", "rage", "rage"])
    part.groups = np.array(["1", "1", "1", "3", "3"])
    merged = merge_corpora([part])
    assert merged.frame["label"].tolist() == ["joy", "joy", "rage", "rage", "rage"]
    assert merged.frame["speaker"].tolist() == ["a:1", "a:1", "a:1", "a:3", "a:3"]


def test_waveforms_beside_paths(two):
    speech = make_emotional_speech(2, n_utterances=1, emotions=["anger", "neutral"])
    label_map = SAME | {"anger": "rage", "neutral": None}
    merged = merge_corpora([two[1], speech], label_map=label_map)
    assert merged.data[:2] == ["/b/0.wav", "/b/2.wav"]
    assert merged.data[2] is speech.data[0]
    assert merged.data[3] is speech.data[2]
    assert merged.target.tolist() == ["rage", "joy", "rage", "rage"]
    assert merged.groups.tolist() == ["b:1", "b:1", "synthetic:s01", "synthetic:s02"]
    assert merged.frame["text"].tolist()[2:] == ["synthetic:t01"] * 2
    assert merged.left_out == {"b": {"awe": 1}, "synthetic": {"neutral": 2}}


def test_the_same_speech_under_two_names_is_left_to_the_audit():
    first, second = (make_emotional_speech(1, n_utterances=1) for _ in range(2))
    second.name = "again"
    merged = merge_corpora([first, second])
    assert len(merged.data) == 14
    assert sorted(set(merged.groups)) == ["again:s01", "synthetic:s01"]
    assert merged.frame["file"].is_unique


def test_parts_of_one_recording_stay_apart():
    parts = pd.DataFrame({"file": ["x.wav"] * 2, "label": ["joy"] * 2, "speaker": ["1"] * 2})
    timed = make_bunch(parts.assign(start=[0.0, 1.0], end=2.0), name="t", descr="", data=[1, 2])
    merged = merge_corpora([corpus("a", ["joy"]), timed])
    assert merged.frame["file"].tolist() == ["a:0.wav", "t:x.wav", "t:x.wav"]
    assert merged.frame["start"].tolist()[1:] == [0, 1]


@part_of_it
def test_corpora_from_the_disk(tmp_path, mini_emodb, write_wav):
    write_wav(tmp_path / "savee" / "DC" / "a01.wav")
    write_wav(tmp_path / "savee" / "JE" / "n01.wav")
    write_wav(tmp_path / "crema" / "1001_DFA_NEU_XX.wav")
    parts = [
        load_emodb(mini_emodb),
        load_savee(tmp_path / "savee"),
        load_crema_d(tmp_path / "crema"),
    ]
    shared = {"anger": "anger", "neutral": "neutral"}
    others = dict.fromkeys(["happiness", "boredom", "disgust"])
    merged = merge_corpora(parts, label_map=shared | others)
    assert merged.name == "emodb+savee+crema_d"
    assert merged.target.tolist() == ["anger", "neutral", "anger", "neutral", "neutral"]
    assert merged.groups.tolist() == [
        "emodb:03",
        "emodb:08",
        "savee:DC",
        "savee:JE",
        "crema_d:1001",
    ]
    assert merged.frame["text"].tolist() == [
        "emodb:a01",
        "emodb:b10",
        "savee:a01",
        "savee:n01",
        "crema_d:DFA",
    ]
    assert merged.data == [parts[0].data[1], parts[0].data[2], *parts[1].data, *parts[2].data]
    assert merged.frame["level"].tolist()[-1] == "unspecified"
    assert merged.left_out == {
        "emodb": {"boredom": 1, "disgust": 1, "happiness": 1},
        "savee": {},
        "crema_d": {},
    }
    assert "left out by their label: 1 boredom, 1 disgust, 1 happiness." in merged.DESCR
    assert all(part.DESCR in merged.DESCR for part in parts)


@pytest.mark.parametrize(
    ("label_map", "message"),
    [
        (
            {"joy": "joy"},
            r"Missing: 'calm' of 'a', 'rage' of 'a', 'awe' of 'b', 'rage' of 'b'\. Add",
        ),
        ({}, "or map it to None"),
        ({"a": SAME, "b": {"joy": "x", "awe": "x"}}, r"Missing: 'rage' of 'b'\."),
        ({"a": SAME}, r"a mapping for each corpus, .* Missing: 'b'\. The corpora are 'a', 'b'"),
        ({"a": SAME, "b": SAME, "c": SAME}, r"name corpora that are given. Got 'c'\. The corpora"),
        ({"a": SAME, "joy": "joy"}, "Got both: 'joy' is mapped to 'joy'"),
        (SAME | {"joy": ""}, "of merge_corpora must map text to text or None. Got 'joy': ''"),
        ({"a": SAME, "b": SAME | {"joy": 1}}, "must map text to text or None. Got 'joy': 1"),
        (SAME | {"joy": None, "rage": None}, r"all labels of 'b' \(awe, joy, rage\) to None; keep"),
    ],
)
def test_maps_are_checked(two, label_map, message):
    with pytest.raises(CorpusError, match=message):
        merge_corpora(two, label_map=label_map)


@pytest.mark.parametrize(
    ("corpora", "message"),
    [
        ([], "must be a list of one or more corpora. Got none"),
        (corpus("a", ["joy"]), "must be a list of one or more corpora. Got Bunch"),
        (["emodb"], "Number 0 is a str without data, target"),
        ([corpus("a", ["joy"]), Bunch(data=[])], "Number 1 is a Bunch without target, groups"),
        ([corpus("a", ["x"]), corpus("a", ["x"])], "different names. Got 'a' more than once; set"),
        ([corpus("a:b", ["joy"])], "must be text without ':'.* Got 'a:b'"),
        ([corpus("", ["joy"])], "must be text without ':'.* Got ''"),
        ([corpus("a", ["joy"], corpus="mine")], "has a column 'corpus' already"),
        ([merge_corpora([corpus("a", ["joy"])])], "joined of others, pass these"),
    ],
)
def test_corpora_are_checked(corpora, message):
    with pytest.raises(CorpusError, match=message):
        merge_corpora(corpora)


def test_a_corpus_of_unequal_lengths_is_refused(two):
    two[1].data = two[1].data[:2]
    with pytest.raises(CorpusError, match=r"'b' must have as many rows .* 3 rows, 2 utterances, 3"):
        merge_corpora(two)


def test_parameters_are_checked(two):
    with pytest.raises(ValueError, match="'label_map' parameter of merge_corpora must be"):
        merge_corpora(two, label_map=["joy"])
    with pytest.raises(ValueError, match="'name' parameter of merge_corpora must be"):
        merge_corpora(two, name=3)
