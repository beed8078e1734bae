"""Speaker-independent splits."""

import numpy as np
import pytest
from sklearn.utils import Bunch

from skser.exceptions import AudioFileError, EvaluationError
from skser.protocols import LEAVE_ONE_SPEAKER_OUT, audit_split, split_corpus


def make_corpus(groups, data=None):
    waveforms = [np.full(9, row) for row in range(len(groups))]
    return Bunch(data=waveforms if data is None else data, groups=groups)


GROUPS = ["08", "03", "08", "16", "03", "08"]


@pytest.mark.parametrize("groups", [GROUPS, np.array(GROUPS), [8, 3, 8, 16, 3, 8]])
def test_each_speaker_is_held_out_once(groups):
    folds = list(split_corpus(make_corpus(groups)))
    assert len(folds) == 3
    assert {fold.name for fold in folds} == {str(group) for group in groups}
    assert sorted(np.concatenate([fold.test for fold in folds])) == list(range(6))
    for fold in folds:
        assert {str(groups[row]) for row in fold.test} == {fold.name}
        assert sorted([*fold.train, *fold.test]) == list(range(6))


def test_speakers_come_in_order():
    folds = list(split_corpus(make_corpus(GROUPS)))
    assert [fold.name for fold in folds] == ["03", "08", "16"]
    assert folds[1].train.tolist() == [1, 3, 4]
    assert folds[1].test.tolist() == [0, 2, 5]


def test_one_speaker_cannot_be_split():
    message = r"needs at least two speakers\. The corpus has 1: 03\."
    with pytest.raises(EvaluationError, match=message):
        list(split_corpus(make_corpus(["03", "03"])))


def test_audit_passes_what_is_independent():
    audit_split(np.array([0, 2]), np.array([1, 3]), make_corpus(["03", "08", "03", "08"]))


def test_audit_names_the_speakers_on_both_sides():
    corpus = make_corpus(["03", "08", "03", "08", "16"])
    message = r"2 speaker\(s\) stand in both training and test data: 03, 08\."
    with pytest.raises(EvaluationError, match=message):
        audit_split(np.array([0, 1, 4]), np.array([2, 3]), corpus)


def test_audit_names_ten_of_many_speakers():
    corpus = make_corpus([f"{speaker:02}" for speaker in range(12)] * 2)
    message = (
        r"12 speaker\(s\) stand in both .*: 00, 01, 02, 03, 04, 05, 06, 07, 08, 09 and 2 more\."
    )
    with pytest.raises(EvaluationError, match=message):
        audit_split(np.arange(12), np.arange(12, 24), corpus)


def test_a_copy_under_two_speakers_is_found_by_its_samples(write_audio):
    samples = np.arange(-50, 50, dtype=np.int16)
    names = {"a.wav": samples, "b.wav": samples[::-1], "copy.flac": samples}
    recordings = [write_audio(name, samples=samples) for name, samples in names.items()]
    corpus = make_corpus(["03", "08", "16"], data=recordings)
    message = r"1 recording\(s\) stand in both training and test data: .*a\.wav\."
    with pytest.raises(EvaluationError, match=message):
        list(split_corpus(corpus))


def test_a_waveform_under_two_speakers_is_found():
    corpus = make_corpus(["03", "08"], data=[np.ones(9), np.ones(9)])
    message = r"1 recording\(s\) stand in both training and test data: row 0\."
    with pytest.raises(EvaluationError, match=message):
        list(split_corpus(corpus))


def test_recordings_that_cannot_be_read_are_listed_before_anything_is_trained(tmp_path):
    recordings = [tmp_path / f"{row}.wav" for row in range(12)]
    with pytest.raises(AudioFileError, match=r"(?s)12 utterances cannot be used.*0\.wav.*2 more"):
        list(split_corpus(make_corpus(["03", "08"] * 6, data=recordings)))


def test_the_protocol_says_what_is_unseen():
    assert LEAVE_ONE_SPEAKER_OUT.name == "leave-one-speaker-out"
    assert LEAVE_ONE_SPEAKER_OUT.unseen.startswith("the speaker")
