"""Splits of corpora, and the check that they are independent."""

import numpy as np
import pandas as pd
import pytest
from sklearn.utils import Bunch

from skser.audit import audit_split, corpus_column, split_corpus, with_content
from skser.exceptions import AudioFileError, EvaluationError
from skser.protocols import PROTOCOLS, Published, SpeakerAndText, SpeakerGroups

SPEAKERS = ["08", "03", "08", "16", "03", "08"]


def make_corpus(groups, data=None, **columns):
    waveforms = [np.full(9, row) for row in range(len(groups))]
    data = waveforms if data is None else data
    frame = {"frame": pd.DataFrame(columns, index=range(5, 5 + len(groups)))} if columns else {}
    return Bunch(data=data, target=["anger", "fear"] * (len(groups) // 2), groups=groups, **frame)


def make_full_corpus(data=None):
    """Four speakers in two sessions and two corpora, each of whom says two texts."""
    return make_corpus(
        np.repeat(list("abcd"), 2),
        data,
        session=np.repeat(["1", "2"], 4),
        corpus=np.repeat(["emodb", "tess"], 4),
        text=np.tile(["x", "y"], 4),
    )


@pytest.mark.parametrize("groups", [SPEAKERS, np.array(SPEAKERS), [8, 3, 8, 16, 3, 8]])
def test_each_speaker_is_held_out_once(groups):
    folds = list(split_corpus(make_corpus(groups)))
    assert {fold.name for fold in folds} == {str(group) for group in groups}
    assert sorted(np.concatenate([fold.test for fold in folds])) == list(range(6))
    for fold in folds:
        assert {str(groups[row]) for row in fold.test} == {fold.name}
        assert sorted([*fold.train, *fold.test]) == list(range(6))


@pytest.mark.parametrize(
    ("protocol", "n_folds", "n_train"),
    [
        ("leave-one-speaker-out", 4, 6),
        ("leave-one-session-out", 2, 4),
        (SpeakerGroups(n_splits=2), 2, 4),
        (SpeakerAndText(n_speaker_groups=4, n_text_groups=2), 8, 3),
        (SpeakerAndText(n_speaker_groups=2, n_text_groups=2), 4, 2),
        ("corpus-to-corpus", 2, 4),
        ("published", 4, 6),
    ],
)
def test_every_protocol_splits_a_corpus(protocol, n_folds, n_train):
    folds = list(split_corpus(make_full_corpus(), protocol))
    assert len(folds) == n_folds
    assert [len(fold.train) for fold in folds] == [n_train] * n_folds
    assert sorted(np.concatenate([fold.test for fold in folds])) == list(range(8))


@pytest.mark.parametrize(
    ("protocol", "copied"),
    [
        ("leave-one-speaker-out", (0, 2)),
        ("leave-one-session-out", (0, 4)),
        (SpeakerGroups(n_splits=2), (0, 2)),  # groups 1 and 2
        (SpeakerAndText(n_speaker_groups=4, n_text_groups=2), (0, 3)),
        ("corpus-to-corpus", (0, 4)),
    ],
)
def test_a_copy_on_both_sides_is_found(protocol, copied):
    data = [np.full(9, row) for row in range(8)]
    data[copied[1]] = data[copied[0]].copy()
    message = r"1 recording\(s\) stand in both .*: row \d \(the same as row \d\)\. Keep one of each"
    with pytest.raises(EvaluationError, match=message):
        list(split_corpus(make_full_corpus(data), protocol))


def test_a_copy_on_both_sides_is_found_under_the_published_protocol_too():
    corpus = make_full_corpus()
    first, second = list(split_corpus(corpus, Published()))[:2]
    corpus.data[second.test[0]] = corpus.data[first.test[0]]
    with pytest.raises(EvaluationError, match=r"1 recording\(s\) stand in both"):
        list(split_corpus(corpus, Published()))


def test_a_copy_by_another_name_is_found_by_its_samples(write_audio):
    samples = np.arange(-50, 50, dtype=np.int16)
    names = {"a.wav": samples, "b.wav": samples[::-1], "copy.flac": samples}
    recordings = [write_audio(name, samples=samples) for name, samples in names.items()]
    corpus = make_corpus(["03", "08", "16"], recordings)
    message = r"1 recording\(s\) stand in both .*: .*a\.wav \(the same as .*copy\.flac\)"
    for data in (recordings, pd.Series(recordings, index=[7, 8, 9])):
        with pytest.raises(EvaluationError, match=message):
            list(split_corpus(Bunch(**{**corpus, "data": data})))


def test_a_session_with_a_speaker_of_another_is_refused():
    corpus = make_corpus(["a", "b", "b", "c"], session=["1", "1", "2", "2"])
    with pytest.raises(EvaluationError, match=r"1 speaker\(s\) stand in both .*: b\."):
        list(split_corpus(corpus, "leave-one-session-out"))


def test_a_corpus_with_a_speaker_of_another_is_refused():
    corpus = make_corpus(["a", "b", "b", "c"], corpus=["tess", "tess", "emodb", "emodb"])
    with pytest.raises(EvaluationError, match=r"1 speaker\(s\) stand in both .*: b\."):
        list(split_corpus(corpus, "corpus-to-corpus"))


def test_nothing_to_train_on_is_refused():
    corpus = make_corpus(["a", "a", "b", "b"], text=["x", "y", "x", "x"])
    with pytest.raises(EvaluationError, match=r"'speaker group ., text group 1' .* has nothing to"):
        list(split_corpus(corpus, SpeakerAndText(n_speaker_groups=2, n_text_groups=2)))


def test_recordings_that_cannot_be_read_are_listed_before_anything_is_trained(tmp_path):
    recordings = [tmp_path / f"{row}.wav" for row in range(12)]
    with pytest.raises(AudioFileError, match=r"(?s)12 utterances cannot be used.*0\.wav.*2 more"):
        list(split_corpus(make_corpus(["03", "08"] * 6, recordings)))


def test_one_speaker_cannot_be_split():
    with pytest.raises(EvaluationError, match=r"two different values of 'speaker'.* has 1: 03"):
        list(split_corpus(make_corpus(["03", "03"])))


def test_audit_passes_what_is_independent():
    corpus = make_corpus(["03", "08", "03", "08"], text=["x", "y", "x", "y"])
    audit_split(np.array([0, 2]), np.array([1, 3]), corpus, unseen=["speaker", "text"])


def test_audit_names_what_stands_on_both_sides():
    corpus = make_corpus(["03", "08", "03", "08", "16"], text=list("xyzvy"))
    message = r"2 speaker\(s\) stand in both training and test data: 03, 08\."
    with pytest.raises(EvaluationError, match=message):
        audit_split(np.array([0, 1, 4]), np.array([2, 3]), corpus)
    message = r"1 text\(s\) stand in both training and test data: y\."
    with pytest.raises(EvaluationError, match=message):
        audit_split(np.array([1, 3]), np.array([2, 4]), corpus, unseen=["text"])


def test_audit_of_nothing_unseen_compares_recordings_alone():
    corpus = make_corpus(["03", "03", "03"], [np.ones(9), np.zeros(9), np.ones(9)])
    audit_split(np.array([0]), np.array([1]), corpus, unseen=())
    with pytest.raises(EvaluationError, match=r"1 recording\(s\) stand in both .*: row 2"):
        audit_split(np.array([0]), np.array([1, 2]), corpus, unseen=())


def test_audit_names_ten_of_many_speakers():
    corpus = make_corpus([f"{speaker:02}" for speaker in range(12)] * 2)
    message = (
        r"12 speaker\(s\) stand in both .*: 00, 01, 02, 03, 04, 05, 06, 07, 08, 09 and 2 more\."
    )
    with pytest.raises(EvaluationError, match=message):
        audit_split(np.arange(12), np.arange(12, 24), corpus)


def test_content_is_computed_once():
    corpus = make_corpus(["03", "08"])
    with_digests = with_content(corpus)
    assert "content" not in corpus
    assert len(set(with_digests.content)) == 2
    assert with_content(with_digests) is with_digests


def test_columns_come_by_position_as_text():
    corpus = make_corpus([3, 8], session=[1, 2])
    assert corpus_column(corpus, "speaker").tolist() == ["3", "8"]
    assert corpus_column(corpus, "session").tolist() == ["1", "2"]


@pytest.mark.parametrize("missing", [None, np.nan, pd.NA])
def test_missing_values_are_no_value_of_their_own(missing):
    corpus = make_corpus(["a", missing, "b", missing], session=["1", missing, "2", "2"])
    for protocol, column, count in [
        ("leave-one-speaker-out", "speaker", 2),
        ("leave-one-session-out", "session", 1),
    ]:
        message = rf"The column '{column}' of corpus 'corpus' must have .* Got {count} without"
        with pytest.raises(EvaluationError, match=message):
            list(split_corpus(corpus, protocol))


@pytest.mark.parametrize(
    ("protocol", "column"),
    [
        ("leave-one-session-out", "session"),
        ("speaker-and-text", "text"),
        ("corpus-to-corpus", "corpus"),
    ],
)
def test_says_which_column_a_corpus_lacks(protocol, column):
    for corpus in (make_corpus(SPEAKERS), make_corpus(SPEAKERS, gender=["f"] * 6)):
        with pytest.raises(EvaluationError, match=f"its 'frame' needs a column '{column}'"):
            list(split_corpus(corpus, protocol))


def test_says_which_column_has_another_length():
    corpus = make_corpus(["a", "b"], session=["1", "2"])
    longer = Bunch(**{**corpus, "frame": pd.DataFrame({"session": ["1", "2", "2"]})})
    with pytest.raises(EvaluationError, match=r"the session of each of its 2 .* shape \(3,\)"):
        list(split_corpus(longer, "leave-one-session-out"))
    with pytest.raises(EvaluationError, match=r"the speaker of each of its 2 .* shape \(1,\)"):
        list(split_corpus(Bunch(**{**corpus, "groups": ["a"]})))


def test_every_named_protocol_needs_no_more_than_its_columns():
    corpus = make_full_corpus()
    for name, protocol in PROTOCOLS.items():
        assert {*protocol.columns, *protocol.unseen} <= {"speaker", *corpus.frame}, name


def test_rows_may_be_lists_or_masks():
    corpus = make_corpus(["03", "08", "03", "08"])
    mask = np.array([True, False, True, False])
    audit_split([0, 2], [1, 3], corpus)
    audit_split(mask, ~mask, corpus)
    with pytest.raises(EvaluationError, match=r"1 speaker\(s\) stand in both .*: 03\."):
        audit_split([0], [2], corpus)


def test_a_copy_in_another_precision_is_found():
    samples = np.random.default_rng(0).normal(size=9)
    corpus = make_corpus(["03", "08"], [samples, samples.astype(np.float32)])
    with pytest.raises(EvaluationError, match=r"1 recording\(s\) stand in both"):
        list(split_corpus(corpus))
