"""An evaluation against scikit-learn's own, under every protocol, and what it refuses."""

import numpy as np
import pandas as pd
import pytest
import soundfile
from sklearn.model_selection import cross_val_predict, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils import Bunch
from standin import EMOTIONS, Seeded, StandIn, assert_same, make_corpus

from skser import evaluate, make_light_sernet
from skser.datasets import make_emotional_speech
from skser.exceptions import EvaluationError, MissingClassWarning, SmallFoldWarning
from skser.metrics import SCORING, score_predictions
from skser.protocols import (
    CorpusToCorpus,
    LeaveOneSessionOut,
    LeaveOneSpeakerOut,
    SpeakerAndText,
    SpeakerGroups,
)

COLUMNS = ["seed", "fold", "file", "speaker", "label", "prediction"]
PROBABILITIES = [f"p_{emotion}" for emotion in EMOTIONS]
PROTOCOLS = [
    LeaveOneSpeakerOut(),
    LeaveOneSessionOut(),
    SpeakerGroups(n_splits=3),
    SpeakerAndText(n_speaker_groups=2, n_text_groups=3),
    CorpusToCorpus(),
]


# --- against scikit-learn --------------------------------------------------------------------


def of_scikit_learn(protocol, corpus):
    """Return what scikit-learn's functions are called with."""
    groups = corpus.groups
    if protocol.columns != ("speaker",):
        groups = corpus.frame[list(protocol.columns)].to_numpy()
    return {"X": corpus.data, "y": corpus.target, "groups": groups, "cv": protocol}


@pytest.mark.parametrize("protocol", PROTOCOLS, ids=lambda protocol: protocol.name)
def test_each_fold_scores_as_cross_validate_says(noise, protocol):
    evaluation = evaluate(StandIn(), noise, protocol=protocol)
    given = of_scikit_learn(protocol, noise)
    expected = cross_validate(StandIn(), **given, scoring=SCORING)
    assert len(evaluation.folds) == len(expected["test_uar"]) > 1
    for row, name in enumerate(evaluation.folds["fold"]):
        table = evaluation.predictions[evaluation.predictions["fold"] == name]
        scores = score_predictions(table["label"], table["prediction"])
        assert scores == pytest.approx({s: expected[f"test_{s}"][row] for s in SCORING}, rel=1e-12)


@pytest.mark.parametrize("protocol", PROTOCOLS, ids=lambda protocol: protocol.name)
def test_predictions_are_those_of_cross_val_predict(noise, protocol):
    evaluation = evaluate(StandIn(), noise, protocol=protocol)
    given = of_scikit_learn(protocol, noise)
    predicted = cross_val_predict(StandIn(), **given)
    assert evaluation.predictions["prediction"].tolist() == predicted.tolist()
    assert evaluation.pooled == pytest.approx(score_predictions(noise.target, predicted))
    probabilities = cross_val_predict(StandIn(), **given, method="predict_proba")
    np.testing.assert_array_equal(evaluation.predictions[PROBABILITIES], probabilities)


def test_speakers_score_as_cross_validate_says(noise, whole):
    expected = cross_validate(
        StandIn(), **of_scikit_learn(LeaveOneSpeakerOut(), noise), scoring=SCORING
    )
    assert len(set(expected["test_uar"])) > 1
    for score in SCORING:
        np.testing.assert_allclose(whole.per_speaker[score], expected[f"test_{score}"], rtol=1e-12)
        assert whole.mean_over_speakers[score] == pytest.approx(expected[f"test_{score}"].mean())


@pytest.fixture(scope="module")
def speech():
    return make_emotional_speech(2, n_utterances=1, random_state=0)


def test_the_network_is_evaluated_as_scikit_learn_does(speech):
    model = make_light_sernet(duration=0.25, epochs=1, batch_size=16, random_state=0)
    evaluation = evaluate(model, speech)
    given = of_scikit_learn(LeaveOneSpeakerOut(), speech)
    expected = cross_val_predict(model, **given, method="predict_proba")
    table = evaluation.predictions
    columns = [f"p_{emotion}" for emotion in speech.target_names]
    np.testing.assert_array_equal(table[columns], expected)
    predicted = np.array(speech.target_names)[expected.argmax(axis=1)]
    assert evaluation.pooled == pytest.approx(score_predictions(speech.target, predicted))
    for speaker, scores in evaluation.per_speaker.iterrows():
        own = speech.groups == speaker
        by_hand = score_predictions(speech.target[own], predicted[own])
        assert scores[list(SCORING)].to_dict() == pytest.approx(by_hand)
    assert table["file"].tolist() == speech.frame["file"].tolist()
    assert evaluation.folds["epoch"].tolist() == [1, 1]
    assert evaluation.settings["epoch"] == "the last of 1, fixed before the run"


def test_only_the_corpus_that_is_tested_is_predicted(noise):
    both = evaluate(StandIn(), noise, protocol="corpus-to-corpus").predictions
    south = evaluate(StandIn(), noise, protocol=CorpusToCorpus(test="south"))
    expected = both[both["fold"] == "south"].reset_index(drop=True)
    pd.testing.assert_frame_equal(south.predictions, expected)
    assert south.per_speaker.index.tolist() == ["c", "d"]
    assert south.settings["protocol"]["parameters"] == {"test": "south"}


# --- the tables ------------------------------------------------------------------------------


def test_predictions_keep_the_order_of_the_corpus(noise, whole):
    table = whole.predictions
    assert list(table) == [*COLUMNS, *PROBABILITIES]
    assert table["speaker"].tolist() == table["fold"].tolist() == noise.groups.tolist()
    assert table["label"].tolist() == noise.target.tolist()
    assert table["file"].tolist() == [f"utterance {row}" for row in range(len(noise.data))]
    assert set(table["seed"]) == {0}


def test_folds_are_counted(whole):
    assert whole.folds[["seed", "fold", "n_train", "n_test"]].to_numpy().tolist() == [
        [0, speaker, 27, 9] for speaker in "abcd"
    ]
    assert (whole.folds["seconds"] > 0).all()


def test_an_emotion_that_the_training_data_lack_has_probability_zero():
    corpus = make_corpus()
    keep = (corpus.target != "anger") | (corpus.groups == "b")  # only b is ever angry
    corpus.data = [x for x, kept in zip(corpus.data, keep, strict=True) if kept]
    corpus.target, corpus.groups = corpus.target[keep], corpus.groups[keep]
    corpus.frame = corpus.frame[keep]
    with pytest.warns(MissingClassWarning, match="Fold 'b': the training data lack anger"):
        table = evaluate(StandIn(), corpus).predictions
    of_b = table["speaker"] == "b"
    probabilities = table[PROBABILITIES]
    assert (probabilities.loc[of_b, "p_anger"] == 0).all()
    assert (probabilities.loc[~of_b, "p_anger"] > 0).all()
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)
    assert "anger" not in table.loc[of_b, "prediction"].tolist()


def test_a_speaker_with_one_utterance_is_named():
    corpus = make_corpus()
    corpus.groups = corpus.groups.copy()
    corpus.groups[0] = "e"
    with pytest.warns(SmallFoldWarning, match=r"1 speaker\(s\) have a single utterance: e\. "):
        evaluation = evaluate(StandIn(), corpus)
    assert evaluation.per_speaker.loc["e", "n_utterances"] == 1


def test_a_model_without_probabilities_has_no_columns_of_them(noise, whole, monkeypatch):
    monkeypatch.delattr(StandIn, "predict_proba")
    table = evaluate(StandIn(), noise).predictions
    pd.testing.assert_frame_equal(table, whole.predictions[COLUMNS])


@pytest.mark.parametrize(
    ("speakers", "emotions"),
    [((3, 10, 8), EMOTIONS), (("a", "b", "c"), (2, 10, 5)), (("a", "b"), (False, True))],
    ids=["integer speakers", "integer labels", "bool labels"],
)
def test_names_that_are_no_strings_are_written_as_strings(tmp_path, speakers, emotions):
    corpus = make_corpus(speakers=speakers, emotions=emotions)
    evaluation = evaluate(StandIn(), corpus, out=tmp_path)
    table = evaluation.predictions
    assert table["label"].tolist() == [str(label) for label in corpus.target]
    assert list(table.columns[6:]) == [f"p_{emotion}" for emotion in sorted(emotions)]
    assert evaluation.pooled["wa"] == np.mean(table["label"] == table["prediction"]) > 0.4
    assert evaluation.folds["fold"].tolist() == sorted(map(str, speakers))
    assert_same(evaluate(StandIn(), corpus, out=tmp_path, resume=True), evaluation)


def test_missing_integer_labels_are_named():
    corpus = make_corpus(speakers=("a", "b", "c"), emotions=(1, 2))
    corpus.target = np.where(corpus.groups == "a", 7, corpus.target)
    with pytest.warns(MissingClassWarning, match="Fold 'a': the training data lack 7, so"):
        evaluate(StandIn(), corpus)


def test_rows_go_by_position_whatever_the_index(noise, whole):
    order = np.random.default_rng(0).permutation(36)
    columns = {name: pd.Series(noise[name], index=order) for name in ("data", "target", "groups")}
    table = evaluate(StandIn(), Bunch(**columns, frame=noise.frame)).predictions
    pd.testing.assert_frame_equal(table, whole.predictions)


def test_the_index_of_the_frame_does_not_matter(noise):
    straight = Bunch(**{**noise, "frame": noise.frame.reset_index(drop=True)})
    assert_same(
        evaluate(StandIn(), noise, protocol="leave-one-session-out"),
        evaluate(StandIn(), straight, protocol="leave-one-session-out"),
    )


def test_files_are_named_as_the_frame_names_them(noise):
    files = [f"{row}.wav" for row in range(36)]
    corpus = Bunch(**{**noise, "frame": noise.frame.assign(file=files)})
    assert evaluate(StandIn(), corpus).utterances["file"].tolist() == files


def test_recordings_are_named_by_their_paths(noise, whole, tmp_path):
    listening = make_pipeline(FunctionTransformer(read_noise), StandIn())
    paths = Bunch(**{**noise, "data": [tmp_path / f"{row}.wav" for row in range(36)]})
    for path, samples in zip(paths.data, noise.data, strict=True):
        soundfile.write(path, samples / 100, 16000, "FLOAT")
    table = evaluate(listening, paths).predictions
    assert table["file"].tolist() == [str(path) for path in paths.data]
    assert table["prediction"].tolist() == whole.predictions["prediction"].tolist()


def read_noise(paths):
    noise = make_corpus().data
    return [noise[int(path.stem)] for path in paths]


# --- seeds -----------------------------------------------------------------------------------


def test_each_seed_is_a_run_of_its_own(noise):
    both = evaluate(Seeded(), noise, seeds=(3, 1))
    assert both.settings["seeds"] == both.seeds == [3, 1]
    for seed in (3, 1):
        alone = evaluate(Seeded(random_state=99), noise, seeds=(seed,))
        rows = both.predictions["seed"] == seed
        pd.testing.assert_frame_equal(
            both.predictions[rows].reset_index(drop=True), alone.predictions
        )
    first, second = both.runs().T
    assert (first != second).any()
    assert both.folds[["seed", "fold"]].to_numpy().tolist() == [
        [seed, speaker] for seed in (3, 1) for speaker in "abcd"
    ]


def test_the_seed_is_that_of_every_part(noise):
    inner = make_pipeline(FunctionTransformer(), Seeded(random_state=5))
    expected = evaluate(Seeded(), noise, seeds=[2]).predictions
    pd.testing.assert_frame_equal(evaluate(inner, noise, seeds=[2]).predictions, expected)
    assert inner["seeded"].random_state == 5


@pytest.mark.parametrize("seeds", [(), (1, 1), (-1,), (2**32,), (0.5,), "01", 1.5])
def test_seeds_that_are_none_are_refused(noise, tmp_path, seeds):
    with pytest.raises(EvaluationError, match="The 'seeds' parameter of evaluate must be one or"):
        evaluate(Seeded(), noise, seeds=seeds, out=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_model_without_a_seed_has_no_several(noise):
    with pytest.raises(EvaluationError, match="The model StandIn has no 'random_state', so that"):
        evaluate(StandIn(), noise, seeds=(0, 1))


# --- what is refused -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("corpus", "message"),
    [
        (
            make_corpus(speakers=("a",)),
            r"at least two different values of 'speaker'\. The corpus has 1: a",
        ),
        (make_corpus(emotions=("anger",)), "at least two emotions"),
        (
            Bunch(data=[np.ones(9)] * 3, target=["x", "y"], groups=["a", "b", "c"]),
            r"as many 'data' as 'target' and 'groups'\. Got 3, 2 and 3\.",
        ),
        (
            Bunch(**{**make_corpus(), "frame": make_corpus().frame[:5]}),
            r"as many 'data' as 'target' and 'groups'\. Got 36, 36 and 36, and 5 rows of its 'f",
        ),
        (
            Bunch(data=[np.ones(9)] * 2, target=["x", "y"], groups=["a", "b"]),
            r"1 recording\(s\) stand in both training and test data: row 0",
        ),
        (
            Bunch(data=[np.ones(9)] * 2, target=["x", "y"]),
            r"'groups' is missing; make_bunch makes a corpus from a table",
        ),
        (
            Bunch(data=[*np.eye(3)], target=["x", "y", "x"], groups=["a", "b", "a"]),
            r"Fold 'a': the training data have only one emotion, y",
        ),
    ],
    ids=[
        "one speaker",
        "one emotion",
        "lengths",
        "length of the frame",
        "waveform twice",
        "no speakers",
        "one emotion in training",
    ],
)
def test_corpora_that_cannot_be_split_are_refused(corpus, message, tmp_path):
    with pytest.raises(EvaluationError, match=message):
        evaluate(StandIn(), corpus, out=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_corpus_that_does_not_say_what_is_held_out_is_refused(noise):
    corpus = Bunch(**{**noise, "frame": noise.frame.drop(columns="text")})
    with pytest.raises(EvaluationError, match="Corpus 'noise' does not say the text of its"):
        evaluate(StandIn(), corpus, protocol="speaker-and-text")


def test_there_is_no_such_protocol(noise):
    with pytest.raises(EvaluationError, match=r"must be one of leave-one-speaker-out, .*'random'"):
        evaluate(StandIn(), noise, protocol="random")


def test_no_processes_is_refused(noise, tmp_path):
    with pytest.raises(EvaluationError, match="The 'n_jobs' parameter of evaluate"):
        evaluate(StandIn(), noise, out=tmp_path, n_jobs=0)
    assert list(tmp_path.iterdir()) == []


def test_resume_needs_a_folder(noise):
    with pytest.raises(EvaluationError, match="resume=True needs the folder to go on with"):
        evaluate(StandIn(), noise, resume=True)


@pytest.mark.parametrize("model", [None, "model", StandIn])
def test_what_is_no_estimator_is_refused(noise, model):
    with pytest.raises(EvaluationError, match=r"'model' .* must be a scikit-learn estimator"):
        evaluate(model, noise)


def test_a_missing_emotion_is_refused(noise):
    target = noise.target.astype(object)
    target[3] = None
    with pytest.raises(EvaluationError, match=r"an emotion for every utterance\. Got 1 without"):
        evaluate(StandIn(), Bunch(**{**noise, "target": target}))
