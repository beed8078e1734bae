"""Which epoch is kept, and which speakers are set aside to choose it."""

import numpy as np
import pandas as pd
import pytest

from skser.epochs import BestEpoch, hold_out_speakers, judge_by_uar


class Network:
    """Stands in for a network: its weights are the number of epochs it was trained for."""

    def __init__(self):
        self.weights = [np.zeros(2)]

    def get_weights(self):
        return [weight.copy() for weight in self.weights]

    def set_weights(self, weights):
        self.weights = [weight.copy() for weight in weights]


def train(scores, **params):
    """Go through epochs of given scores; return network, keeper, logs and whether it stopped."""
    network, logs = Network(), []
    coming = iter(scores)
    best = BestEpoch(network, lambda judged: next(coming), **params)
    for epoch in range(1, len(scores) + 1):
        network.weights[0] += 1
        logs.append({"loss": 1.0})
        if best(epoch, logs[-1]):
            return network, best, logs, True
    return network, best, logs, False


@pytest.mark.parametrize(
    ("scores", "epoch"),
    [([0.1, 0.5, 0.3], 2), ([0.5, 0.5, 0.3], 2), ([0.0, 0.0], 2), ([0.3, 0.2], 1), ([-3.0], 1)],
)
def test_keeps_the_last_of_the_best_epochs(scores, epoch):
    network, best, logs, stopped = train(scores)
    assert not stopped
    assert best.epoch == epoch
    assert [log["selection_score"] for log in logs] == scores
    assert network.weights[0].tolist() == [len(scores)] * 2
    best.restore()
    assert network.weights[0].tolist() == [epoch] * 2


@pytest.mark.parametrize(
    ("scores", "patience", "n_epochs"),
    [
        ([0.5, 0.4, 0.3, 0.9], 1, 2),
        ([0.5, 0.4, 0.3, 0.9], 2, 3),
        ([0.5, 0.4, 0.5, 0.4, 0.3, 0.9], 2, 5),  # an equal score counts
        ([0.5, 0.4, 0.3, 0.9], 3, 4),
        ([0.5, 0.4, 0.3, 0.9], None, 4),
    ],
)
def test_stops_when_patience_ends(scores, patience, n_epochs):
    _, best, logs, stopped = train(scores, patience=patience)
    assert len(logs) == n_epochs
    assert stopped == (n_epochs < len(scores))
    assert scores[best.epoch - 1] == max(scores[:n_epochs])


def test_judge_computes_the_unweighted_average_recall():
    probabilities = np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4], [0.6, 0.4]])
    judge = judge_by_uar(lambda network: probabilities, np.array([0, 1, 1, 1]))
    assert judge(Network()) == pytest.approx((1 + 1 / 3) / 2)


SPEAKERS = np.repeat(list("abcdefghij"), 4)
LABELS = np.tile([0, 1], 20)


@pytest.mark.parametrize(
    ("fraction", "n_aside"), [(0.2, 2), (0.01, 1), (0.5, 5), (0.99, 9), (0.25, 2)]
)
def test_sets_whole_speakers_aside(fraction, n_aside):
    train, aside = hold_out_speakers(LABELS, SPEAKERS, fraction=fraction, seed=0)
    assert len(set(SPEAKERS[aside])) == n_aside
    assert not set(SPEAKERS[aside]) & set(SPEAKERS[train])
    assert sorted([*train, *aside]) == list(range(40))


def test_of_two_speakers_one_stays():
    train, aside = hold_out_speakers(LABELS[:8], SPEAKERS[:8], fraction=0.9, seed=0)
    assert len(train) == len(aside) == 4


def test_draw_repeats_with_its_seed():
    first = hold_out_speakers(LABELS, SPEAKERS, fraction=0.2, seed=1)
    again = hold_out_speakers(LABELS, pd.Series(SPEAKERS, range(5, 45)), fraction=0.2, seed=1)
    np.testing.assert_array_equal(first[1], again[1])
    drawn = {
        tuple(hold_out_speakers(LABELS, SPEAKERS, fraction=0.2, seed=seed)[1]) for seed in range(9)
    }
    assert len(drawn) > 1


@pytest.mark.parametrize("seed", range(10))
def test_every_class_stays_in_training(seed):
    """Only speaker c has class 2, so c is never set aside."""
    labels = np.where(SPEAKERS == "c", 2, LABELS)
    train, aside = hold_out_speakers(labels, SPEAKERS, fraction=0.5, seed=seed)
    assert set(labels[train]) == {0, 1, 2}
    assert "c" not in SPEAKERS[aside]


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        (None, r"fit needs them: pass groups= \(in a Pipeline .* classifier__groups=, in"),
        (SPEAKERS[1:], r"'groups' of shape \(40,\): the speaker of each .* Got \(39,\)"),
        (np.stack([SPEAKERS, SPEAKERS], axis=1), r"'groups' of shape .* Got \(40, 2\)"),
        ("a", r"'groups' of shape .* Got \(\)"),
        (["a"] * 40, r"at least two speakers in the training data\. Got 1"),
        ([*SPEAKERS[1:], None], r"the speaker of every utterance\. Got 1 without"),
        ([*SPEAKERS[1:], np.nan], r"the speaker of every utterance\. Got 1 without"),
    ],
)
def test_says_what_is_wrong_with_the_speakers(groups, message):
    with pytest.raises(ValueError, match=message):
        hold_out_speakers(LABELS, groups, fraction=0.2, seed=0)


def test_says_when_a_class_would_be_lost():
    with pytest.raises(ValueError, match=r"cannot set 1 of 2 speakers aside .* every class; lower"):
        hold_out_speakers(np.array([0, 1, 0, 2]), list("aabb"), fraction=0.2, seed=0)
