"""Protocols as splitters: who is held out, by hand, by chance and under scikit-learn's tools."""

import pickle
from copy import deepcopy

import numpy as np
import pandas as pd
import pytest
import sklearn
from hypothesis import given
from hypothesis import strategies as st
from sklearn.dummy import DummyClassifier
from sklearn.model_selection import GridSearchCV, LeaveOneGroupOut, cross_validate

from skser.exceptions import EvaluationError
from skser.protocols import (
    PROTOCOLS,
    CorpusToCorpus,
    LeaveOneSessionOut,
    LeaveOneSpeakerOut,
    Published,
    SpeakerAndText,
    SpeakerGroups,
    get_protocol,
)

SPEAKERS = ["08", "03", "08", "16", "03", "08"]
LABELS = ["anger", "fear", "fear", "anger", "anger", "fear"]
NAMES = [
    "leave-one-speaker-out",
    "speaker-adaptation",
    "leave-one-session-out",
    "speaker-groups",
    "speaker-and-text",
    "corpus-to-corpus",
    "published",
]


def split(protocol, groups, y=None):
    """Return name, training rows and test rows of each fold, as plain lists."""
    folds = protocol.split_named(len(groups), y, groups)
    return [(fold.name, fold.train.tolist(), fold.test.tolist()) for fold in folds]


def test_each_speaker_is_held_out_once_in_the_order_of_their_names():
    assert split(LeaveOneSpeakerOut(), SPEAKERS) == [
        ("03", [0, 2, 3, 5], [1, 4]),
        ("08", [1, 3, 4], [0, 2, 5]),
        ("16", [0, 1, 2, 4, 5], [3]),
    ]


@pytest.mark.parametrize(
    "groups",
    [
        np.array(SPEAKERS),
        pd.Series(SPEAKERS, index=range(10, 16)),
        pd.DataFrame({"speaker": SPEAKERS}),
        np.array(SPEAKERS, dtype=object),
    ],
)
def test_groups_are_an_array_a_series_or_a_column(groups):
    assert split(LeaveOneSpeakerOut(), groups) == split(LeaveOneSpeakerOut(), SPEAKERS)


def test_speakers_may_be_numbers():
    assert [fold[0] for fold in split(LeaveOneSpeakerOut(), [8, 3, 8, 16, 3, 8])] == [
        "16",
        "3",
        "8",
    ]


def test_sessions_are_held_out():
    assert split(LeaveOneSessionOut(), ["2", "1", "2", "1"]) == [
        ("1", [0, 2], [1, 3]),
        ("2", [1, 3], [0, 2]),
    ]


def test_groups_of_speakers_have_about_as_many_utterances():
    speakers = ["a", "a", "a", "b", "b", "c", "d"]
    assert split(SpeakerGroups(n_splits=2), speakers) == [
        ("speaker group 1", [3, 4, 6], [0, 1, 2, 5]),
        ("speaker group 2", [0, 1, 2, 5], [3, 4, 6]),
    ]
    sizes = [
        len(test) for _, _, test in split(SpeakerGroups(n_splits=3), np.repeat(list("abcdef"), 4))
    ]
    assert sizes == [8, 8, 8]


def test_equal_speakers_are_grouped_by_name_on_every_machine():
    """GroupKFold leaves their order to numpy's argsort, which differs between processors."""
    speakers = np.repeat([f"{number:02}" for number in range(40)], 3)
    groups = {
        fold[0]: set(speakers[fold[2]]) for fold in split(SpeakerGroups(n_splits=4), speakers)
    }
    assert groups["speaker group 1"] == {f"{number:02}" for number in range(3, 40, 4)}
    assert groups["speaker group 4"] == {f"{number:02}" for number in range(0, 40, 4)}


def test_names_of_many_groups_sort_as_numbers():
    names = [fold[0] for fold in split(SpeakerGroups(n_splits=10), np.arange(20))]
    assert names[0] == "speaker group 01"
    assert names[-1] == "speaker group 10"


def test_what_shares_speaker_or_text_is_left_out():
    """Two speakers say two texts: each utterance is predicted from the one opposite."""
    table = [("a", "x"), ("a", "y"), ("b", "x"), ("b", "y")]
    folds = split(SpeakerAndText(n_speaker_groups=2, n_text_groups=2), table)
    opposite = {0: 3, 1: 2, 2: 1, 3: 0}
    assert len(folds) == 4
    for name, train, (test,) in folds:
        assert name.startswith("speaker group ")
        assert ", text group " in name
        assert train == [opposite[test]]


def test_each_corpus_is_predicted_from_the_others():
    assert split(CorpusToCorpus(), ["tess", "emodb", "tess", "savee"]) == [
        ("emodb", [0, 2, 3], [1]),
        ("savee", [0, 1, 2], [3]),
        ("tess", [1, 3], [0, 2]),
    ]


def test_one_corpus_may_be_tested_alone():
    corpora = ["tess", "emodb", "tess", "savee"]
    assert split(CorpusToCorpus(test="tess"), corpora) == [("tess", [1, 3], [0, 2])]
    assert CorpusToCorpus(test="tess").get_n_splits(groups=corpora) == 1


def test_published_permutes_names_within_each_class():
    generator = np.random.default_rng(0)
    speakers, labels = generator.choice(list("abc"), 120), generator.choice(["x", "y"], 120)
    folds = split(Published(random_state=1), speakers, labels)
    assert [name for name, _, _ in folds] == ["name a", "name b", "name c"]
    for name, train, test in folds:
        spoken = labels[speakers == name[-1]]
        assert sorted(labels[test]) == sorted(spoken)
        assert set(speakers[test]) == set(speakers[train]) == set("abc")
        assert sorted(train + test) == list(range(120))


def test_published_repeats_with_its_seed():
    speakers, labels = np.repeat(list("abc"), 20), np.tile(["x", "y"], 30)
    first = split(Published(), speakers, labels)
    assert split(Published(), speakers, labels) == first
    assert split(Published(random_state=1), speakers, labels) != first


def test_only_published_has_a_caveat():
    assert [name for name in PROTOCOLS if PROTOCOLS[name].caveat] == ["published"]
    description = Published(random_state=3).describe()
    assert description["caveat"] == "knows the test fold"
    assert description["parameters"] == {"random_state": 3}
    assert description["unseen"] == []
    assert "caveat" not in LeaveOneSpeakerOut().describe()
    assert Published.caveat in Published.sentence


def test_protocols_are_found_by_name():
    assert list(PROTOCOLS) == NAMES
    for name in NAMES:
        assert get_protocol(name).name == name
    protocol = SpeakerGroups(n_splits=3)
    assert get_protocol(protocol) is protocol


@pytest.mark.parametrize("protocol", ["loso", LeaveOneSpeakerOut, LeaveOneGroupOut(), None, ["x"]])
def test_refuses_an_unknown_protocol(protocol):
    with pytest.raises(EvaluationError, match="must be one of leave-one-speaker-out, speaker-a"):
        get_protocol(protocol)


TABLE = st.lists(
    st.tuples(st.integers(0, 5), st.integers(0, 4), st.sampled_from("xyz")),
    min_size=4,
    max_size=40,
).filter(lambda rows: len({r[0] for r in rows}) > 1 and len({r[1] for r in rows}) > 1)


@given(rows=TABLE, data=st.data())
def test_each_protocol_keeps_its_word(rows, data):
    speakers, texts, labels = (np.array(column) for column in zip(*rows, strict=True))
    n_groups = [
        data.draw(st.integers(2, len(np.unique(column))), label=f"of {len(np.unique(column))}")
        for column in (speakers, texts)
    ]
    held_out = {
        LeaveOneSpeakerOut(): [speakers],
        LeaveOneSessionOut(): [speakers],
        CorpusToCorpus(): [speakers],
        SpeakerGroups(n_splits=n_groups[0]): [speakers],
        SpeakerAndText(n_speaker_groups=n_groups[0], n_text_groups=n_groups[1]): [speakers, texts],
    }
    for protocol, columns in held_out.items():
        folds = split(protocol, np.stack(columns, axis=1))
        names, _, tests = zip(*folds, strict=True)
        assert sorted(np.concatenate(tests)) == list(range(len(rows)))
        assert list(names) == sorted(set(names))
        for _, train, test in folds:
            for column in columns:
                assert not set(column[train]) & set(column[test])
            unheard = [np.isin(column, column[test]) for column in columns]
            assert train == np.flatnonzero(~np.any(unheard, axis=0)).tolist()
    tests = [test for _, _, test in split(Published(), speakers, labels)]
    assert sorted(np.concatenate(tests)) == list(range(len(rows)))
    assert sorted(map(len, tests)) == sorted(np.unique(speakers, return_counts=True)[1])


# scikit-learn's contract


X = np.arange(24.0).reshape(12, 2)
Y = np.tile(["anger", "fear"], 6)
WHO = np.repeat(["a", "b", "c"], 4)
BY_SPEAKER = [LeaveOneSpeakerOut(), SpeakerGroups(n_splits=3), Published()]


@pytest.fixture(params=[False, True], ids=["routing off", "routing on"])
def routing(request):
    with sklearn.config_context(enable_metadata_routing=request.param):
        yield request.param


def test_equals_leave_one_group_out():
    ours, theirs = LeaveOneSpeakerOut().split(X, Y, WHO), LeaveOneGroupOut().split(X, Y, WHO)
    for (train, test), (other_train, other_test) in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(train, other_train)
        np.testing.assert_array_equal(test, other_test)


@pytest.mark.parametrize("protocol", BY_SPEAKER, ids=repr)
def test_cross_validates(protocol, routing):
    groups = {"params": {"groups": WHO}} if routing else {"groups": WHO}
    scores = cross_validate(DummyClassifier(), X, Y, cv=protocol, error_score="raise", **groups)
    assert scores["test_score"].shape == (3,)


@pytest.mark.parametrize("protocol", BY_SPEAKER, ids=repr)
@pytest.mark.usefixtures("routing")
def test_searches_a_grid(protocol):
    grid = {"strategy": ["prior", "uniform"]}
    search = GridSearchCV(DummyClassifier(random_state=0), grid, cv=protocol, error_score="raise")
    search.fit(X, Y, groups=WHO)
    assert search.n_splits_ == 3
    assert "split2_test_score" in search.cv_results_


@pytest.mark.parametrize("kind", [pd.DataFrame, np.asarray])
def test_cross_validates_with_two_columns(kind, routing):
    table = pd.DataFrame({"speaker": WHO, "text": np.tile(["s", "s", "t", "t"], 3)}, range(3, 15))
    table = kind(table)
    groups = {"params": {"groups": table}} if routing else {"groups": table}
    cv = SpeakerAndText(n_speaker_groups=3, n_text_groups=2)
    scores = cross_validate(DummyClassifier(), X, Y, cv=cv, error_score="raise", **groups)
    assert scores["test_score"].shape == (6,)
    assert cv.get_n_splits(X, Y, table) == 6


def test_takes_sparse_and_pandas_data():
    from scipy.sparse import csr_array

    for data in (csr_array(X), pd.DataFrame(X, index=range(5, 17)), list(X)):
        assert len(list(LeaveOneSpeakerOut().split(data, Y, WHO))) == 3


@pytest.mark.parametrize("name", NAMES)
def test_is_printed_copied_and_pickled(name):
    protocol = get_protocol(name)
    assert repr(protocol).startswith(type(protocol).__name__ + "(")
    for copy in (deepcopy(protocol), pickle.loads(pickle.dumps(protocol))):
        assert copy.describe() == protocol.describe()


def test_prints_its_parameters():
    assert repr(SpeakerGroups(n_splits=3)) == "SpeakerGroups(n_splits=3)"
    assert repr(CorpusToCorpus(test="tess")) == "CorpusToCorpus(test='tess')"


def test_counts_its_folds():
    assert LeaveOneSpeakerOut().get_n_splits(groups=WHO) == 3
    assert SpeakerGroups(n_splits=2).get_n_splits(X, Y, WHO) == 2
    assert Published().get_n_splits(X, Y, WHO) == 3


@pytest.mark.parametrize(
    ("protocol", "groups", "message"),
    [
        (LeaveOneSpeakerOut(), None, "needs 'groups': the speaker of each utterance"),
        (SpeakerAndText(), None, "needs 'groups': the speaker and text of each utterance"),
        (LeaveOneSpeakerOut(), WHO[1:], r"must have shape \(12, 1\).*Got \(11, 1\)"),
        (SpeakerAndText(), WHO, r"must have shape \(12, 2\).*Got \(12, 1\)"),
        (LeaveOneSpeakerOut(), np.stack([WHO, WHO], axis=1), r"\(12, 1\).*Got \(12, 2\)"),
        (LeaveOneSpeakerOut(), "03", r"must have shape \(12, 1\).*Got \(\)"),
        (LeaveOneSpeakerOut(), ["03"] * 12, "two different values of 'speaker'.* has 1: 03"),
        (LeaveOneSessionOut(), ["1"] * 12, "two different values of 'session'"),
        (CorpusToCorpus(), ["tess"] * 12, "two different values of 'corpus'"),
        (
            SpeakerAndText(n_speaker_groups=2, n_text_groups=2),
            [(who, "s") for who in WHO],
            "two different values of 'text'",
        ),
        (LeaveOneSpeakerOut(), [*WHO[1:], None], r"the speaker of every utterance\. Got 1 without"),
        (LeaveOneSpeakerOut(), [np.nan, np.nan, *range(10)], "Got 2 without"),
        (LeaveOneSpeakerOut(), [np.nan, *WHO[1:]], "Got 1 without"),
        (LeaveOneSpeakerOut(), pd.Series([*WHO[1:], pd.NA]), "Got 1 without"),
        (SpeakerGroups(n_splits=4), WHO, r"'n_splits' parameter .* range \[2, 3\].* Got 4 instead"),
        (SpeakerGroups(n_splits=1), WHO, r"'n_splits' parameter .* Got 1 instead"),
        (
            SpeakerGroups(n_splits=2.5),
            WHO,
            r"'n_splits' parameter must be an int .* Got 2\.5 instead",
        ),
        (
            SpeakerGroups(n_splits="2"),
            WHO,
            r"'n_splits' parameter must be an int .* Got '2' instead",
        ),
        (
            SpeakerAndText(n_speaker_groups=5, n_text_groups=2),
            np.stack([WHO, Y], axis=1),
            "'n_speaker_groups' parameter",
        ),
        (
            SpeakerAndText(n_speaker_groups=2, n_text_groups=5),
            np.stack([WHO, Y], axis=1),
            "'n_text_groups' parameter",
        ),
        (CorpusToCorpus(test="savee"), WHO, "'test' .* one of the corpora a, b, c. Got 'savee'"),
    ],
)
def test_says_what_is_wrong(protocol, groups, message):
    with pytest.raises(EvaluationError, match=message):
        list(protocol.split(X, Y, groups))


def test_published_needs_the_classes():
    with pytest.raises(EvaluationError, match="published needs y, the class of each utterance"):
        list(Published().split(X, None, WHO))


@pytest.mark.parametrize("random_state", [None, -1, "x", np.random.RandomState(0)])
def test_names_are_permuted_alike_at_each_call(random_state):
    protocol = Published(random_state=random_state)
    with pytest.raises(EvaluationError, match=r"'random_state' .* Published must be an int"):
        list(protocol.split(np.zeros(4), y=list("xyxy"), groups=list("aabb")))


def test_groups_are_as_many_as_there_are_speakers_but_five():
    for n_speakers, n_groups in ((3, 3), (9, 5)):
        speakers = np.repeat(np.arange(n_speakers), 2)
        assert SpeakerGroups().get_n_splits(groups=speakers) == n_groups
