"""The scores against values computed by hand and against scikit-learn's."""

import numpy as np
import pytest
from sklearn.dummy import DummyClassifier
from sklearn.metrics import (
    accuracy_score,
    balanced_accuracy_score,
    confusion_matrix,
    f1_score,
    get_scorer,
)

from skser.metrics import (
    SCORE_NAMES,
    SCORING,
    bootstrap_intervals,
    confusions_by_speaker,
    resample_scores,
    score_predictions,
)


def random_predictions(seed=0, n_samples=300, n_classes=4):
    """Draw labels of unequal classes, of which about two thirds are predicted right."""
    generator = np.random.default_rng(seed)
    emotions = np.array(["anger", "boredom", "fear", "neutral"])[:n_classes]
    shares = np.arange(1, n_classes + 1) / np.arange(1, n_classes + 1).sum()
    y_true = generator.choice(emotions, n_samples, p=shares)
    right = generator.random(n_samples) < 0.6
    return y_true, np.where(right, y_true, generator.choice(emotions, n_samples))


# --- scores ----------------------------------------------------------------------------------


def test_scores_by_hand():
    y_true = ["anger"] * 4 + ["fear"] * 2 + ["neutral"] * 2
    y_pred = ["anger", "anger", "anger", "fear", "fear", "anger", "neutral", "neutral"]
    # recalls 3/4, 1/2, 2/2; precisions 3/4, 1/2, 2/2; so the F1s are 3/4, 1/2, 1
    assert score_predictions(y_true, y_pred) == pytest.approx(
        {
            "uar": (3 / 4 + 1 / 2 + 1) / 3,
            "wa": 6 / 8,
            "f1_macro": (3 / 4 + 1 / 2 + 1) / 3,
            "f1_weighted": (4 * 3 / 4 + 2 * 1 / 2 + 2 * 1) / 8,
        }
    )


def test_a_class_that_is_only_predicted():
    # recalls 1/2 and 1; F1s 2/3, 1, and 0 for disgust, which nobody uttered
    scores = score_predictions(["anger", "anger", "fear"], ["anger", "disgust", "fear"])
    assert scores == pytest.approx(
        {
            "uar": (1 / 2 + 1) / 2,
            "wa": 2 / 3,
            "f1_macro": (2 / 3 + 1 + 0) / 3,
            "f1_weighted": (2 * 2 / 3 + 1) / 3,
        }
    )


def test_a_class_that_is_never_predicted():
    # recalls 1 and 0; precision of anger 2/3, so its F1 is 4/5
    scores = score_predictions(["anger", "anger", "fear"], ["anger", "anger", "anger"])
    assert scores == pytest.approx(
        {"uar": 1 / 2, "wa": 2 / 3, "f1_macro": 2 / 5, "f1_weighted": 2 / 3 * 4 / 5}
    )


@pytest.mark.parametrize("y_pred", [["fear", "fear"], ["fear", "anger"], ["anger", "anger"]])
def test_a_single_class_gives_no_warning(y_pred):
    scores = score_predictions(["fear", "fear"], y_pred)
    assert scores["uar"] == scores["wa"] == y_pred.count("fear") / 2


@pytest.mark.parametrize("seed", range(5))
def test_scores_equal_scikit_learns(seed):
    y_true, y_pred = random_predictions(seed)
    expected = {
        "uar": balanced_accuracy_score(y_true, y_pred),
        "wa": accuracy_score(y_true, y_pred),
        "f1_macro": f1_score(y_true, y_pred, average="macro"),
        "f1_weighted": f1_score(y_true, y_pred, average="weighted"),
    }
    scores = score_predictions(y_true, y_pred)
    assert scores == pytest.approx(expected, rel=1e-12)
    assert {type(value) for value in scores.values()} == {float}


def test_scoring_names_are_scikit_learns():
    y_true, y_pred = random_predictions()
    classifier = DummyClassifier(strategy="stratified", random_state=0).fit(y_pred, y_pred)
    scores = score_predictions(y_true, classifier.predict(y_true))
    assert list(SCORING) == list(scores) == list(SCORE_NAMES)
    for name, scorer in SCORING.items():
        assert get_scorer(scorer)(classifier, y_true, y_true) == pytest.approx(scores[name])


NO_LABELS = [
    (["fear"], ["fear", "anger"], "inconsistent numbers of samples"),
    ([], [], "Found empty input array"),
    ([1, 2], ["fear", "anger"], "Mix of label input types"),
]


@pytest.mark.parametrize(("y_true", "y_pred", "message"), NO_LABELS)
def test_labels_that_cannot_be_scored(y_true, y_pred, message):
    with pytest.raises(ValueError, match=message):
        score_predictions(y_true, y_pred)
    with pytest.raises(ValueError, match=message):
        bootstrap_intervals(y_true, y_pred, y_true)


# --- intervals -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def by_speaker():
    """Labels, predictions and speakers, of whom the later ones are predicted worse."""
    y_true, y_pred = random_predictions(n_samples=400)
    groups = np.repeat([f"{speaker:02}" for speaker in range(8)], 50)
    worse = np.random.default_rng(1).random(400) < np.repeat(np.arange(8), 50) / 16
    return y_true, np.where(worse, "boredom", y_pred), groups


def naive_bootstrap(y_true, y_pred, groups, n_resamples):
    """Draw speakers one by one and score all of their utterances anew."""
    generator = np.random.default_rng(123)
    speakers = np.unique(groups)
    scores = []
    for _ in range(n_resamples):
        drawn = generator.choice(speakers, len(speakers))
        rows = np.concatenate([np.flatnonzero(groups == speaker) for speaker in drawn])
        scores.append(score_predictions(y_true[rows], y_pred[rows]))
    return {name: np.quantile([s[name] for s in scores], [0.025, 0.975]) for name in scores[0]}


def test_intervals_agree_with_a_naive_bootstrap(by_speaker):
    intervals = bootstrap_intervals(*by_speaker)
    for name, ends in naive_bootstrap(*by_speaker, n_resamples=1000).items():
        assert np.diff(ends) > 0.05  # so that the tolerance is a small part of it
        np.testing.assert_allclose(intervals[name], ends, rtol=0, atol=0.012)


def test_intervals_hold_the_scores(by_speaker):
    intervals = bootstrap_intervals(*by_speaker)
    scores = score_predictions(*by_speaker[:2])
    assert list(intervals) == list(scores)
    for name, (low, high) in intervals.items():
        assert 0 <= low < scores[name] < high <= 1


def test_less_confidence_is_narrower(by_speaker):
    wide = bootstrap_intervals(*by_speaker, confidence=0.99)
    narrow = bootstrap_intervals(*by_speaker, confidence=0.5)
    for name in SCORING:
        assert wide[name][0] < narrow[name][0] < narrow[name][1] < wide[name][1]


def test_the_seed_decides(by_speaker):
    few = {"n_resamples": 50}
    first = bootstrap_intervals(*by_speaker, **few)
    assert bootstrap_intervals(*by_speaker, **few, random_state=0) == first
    assert bootstrap_intervals(*by_speaker, **few, random_state=1) != first


def test_the_names_of_the_speakers_do_not_matter(by_speaker):
    y_true, y_pred, groups = by_speaker
    as_numbers = bootstrap_intervals(y_true, y_pred, groups.astype(int), n_resamples=50)
    assert as_numbers == bootstrap_intervals(y_true, y_pred, groups, n_resamples=50)


def test_one_speaker_has_no_interval():
    intervals = bootstrap_intervals(["fear", "anger"], ["fear", "fear"], ["03", "03"])
    assert list(intervals) == list(SCORING)
    assert np.isnan(list(intervals.values())).all()


def test_speakers_who_are_all_alike_have_intervals_without_width():
    intervals = bootstrap_intervals(["fear"] * 4, ["fear"] * 4, ["03", "03", "08", "08"])
    assert intervals == dict.fromkeys(SCORING, (1.0, 1.0))


def test_speakers_who_lack_a_class():
    y_true = ["fear", "anger", "fear", "fear"]
    y_pred = ["fear", "anger", "anger", "fear"]
    low, high = bootstrap_intervals(y_true, y_pred, ["03", "03", "08", "08"])["uar"]
    assert (low, high) == (0.5, 1.0)  # speaker 08 alone: one of two; speaker 03 alone: all


def test_speakers_must_be_as_many_as_labels():
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        bootstrap_intervals(["fear", "anger"], ["fear", "anger"], ["03"])


# --- several runs ----------------------------------------------------------------------------


def test_confusions_by_speaker_by_hand():
    y_true = ["fear", "anger", "fear", "anger", "fear"]
    first = ["fear", "anger", "anger", "anger", "fear"]
    second = ["fear", "fear", "fear", "anger", "fear"]
    counts = confusions_by_speaker(
        y_true, np.transpose([first, second]), ["x", "03", "03", "x", "x"]
    )
    # Speakers 03 and x; of each the runs; rows are anger and fear, columns what was predicted.
    assert counts.tolist() == [
        [[[1, 0], [1, 0]], [[0, 1], [0, 1]]],
        [[[1, 0], [0, 2]], [[1, 0], [0, 2]]],
    ]


def test_confusions_have_the_labels_that_are_asked_for():
    counts = confusions_by_speaker(["fear"], ["fear"], ["x"], ["anger", "fear", "joy"])
    assert counts.tolist() == [[[[0, 0, 0], [0, 1, 0], [0, 0, 0]]]]


def test_confusions_sum_to_scikit_learns(by_speaker):
    y_true, y_pred, groups = by_speaker
    runs = np.stack([y_pred, y_true], axis=1)
    counts = confusions_by_speaker(y_true, runs, groups)
    assert counts.shape == (8, 2, 4, 4)
    for number, run in enumerate(runs.T):
        np.testing.assert_array_equal(counts[:, number].sum(axis=0), confusion_matrix(y_true, run))


def test_resampled_scores_are_means_over_runs(by_speaker):
    y_true, y_pred, groups = by_speaker
    runs = np.stack([y_pred, np.roll(y_pred, 1), y_true], axis=1)
    resampled = resample_scores(confusions_by_speaker(y_true, runs, groups), n_resamples=20)
    alone = [
        resample_scores(confusions_by_speaker(y_true, run, groups), n_resamples=20)
        for run in runs.T
    ]
    for name, values in resampled.items():
        assert values.shape == (20,)
        np.testing.assert_allclose(values, np.mean([run[name] for run in alone], axis=0))


def test_resampled_scores_of_two_speakers_are_those_of_three_draws():
    y_true = ["fear", "anger", "fear", "fear"]
    counts = confusions_by_speaker(y_true, ["fear", "anger", "anger", "fear"], ["a", "a", "b", "b"])
    resampled = resample_scores(counts, n_resamples=400)
    values, times = np.unique(resampled["wa"], return_counts=True)
    np.testing.assert_allclose(values, [1 / 2, 3 / 4, 1])
    np.testing.assert_allclose(times / 400, [1 / 4, 1 / 2, 1 / 4], atol=0.08)


def test_equal_seeds_draw_the_same_speakers(by_speaker):
    counts = confusions_by_speaker(*by_speaker)
    first, second = (resample_scores(counts, n_resamples=50, random_state=1) for _ in range(2))
    for name in SCORING:
        np.testing.assert_array_equal(first[name], second[name])
    other = resample_scores(counts, n_resamples=50, random_state=2)
    assert (first["wa"] != other["wa"]).any()


def test_intervals_of_several_runs(by_speaker):
    y_true, y_pred, groups = by_speaker
    once = bootstrap_intervals(y_true, y_pred, groups, n_resamples=100)
    column = bootstrap_intervals(y_true, y_pred[:, np.newaxis], groups, n_resamples=100)
    twice = bootstrap_intervals(y_true, np.stack([y_pred] * 2, 1), groups, n_resamples=100)
    assert once == column
    assert all(twice[name] == pytest.approx(once[name]) for name in SCORING)


def test_intervals_of_several_runs_by_hand():
    # Drawn are 03 twice (WA 1/2 and 1), both speakers (3/4 and 3/4), or 08 twice (1 and 1/2).
    runs = np.array([["fear", "fear"], ["fear", "anger"], ["fear", "fear"], ["anger", "fear"]])
    y_true = ["fear", "anger", "fear", "anger"]
    intervals = bootstrap_intervals(y_true, runs, ["03", "03", "08", "08"])
    assert intervals["wa"] == pytest.approx((3 / 4, 3 / 4))


def test_runs_must_be_as_long_as_the_labels():
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        bootstrap_intervals(["fear", "anger"], [["fear"] * 2], ["03", "08"])
