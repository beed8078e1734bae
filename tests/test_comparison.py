"""Two models against each other, on cases that can be worked out by hand."""

from copy import deepcopy
from itertools import product
from math import comb

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from standin import Seeded, StandIn, make_corpus

from skser import Evaluation, compare, evaluate
from skser.exceptions import EvaluationError
from skser.metrics import SCORE_NAMES, confusions_by_speaker, resample_scores

N_SPEAKERS = 6


def make_evaluation(*right, caveat="", speakers=None):
    """Make an evaluation of two emotions in turns; `right` says of each run what is right."""
    n = len(right[0])
    speakers = np.arange(n) // (n // N_SPEAKERS) if speakers is None else speakers
    truth = np.where(np.arange(n) % 2, "fear", "anger")
    table = pd.DataFrame({"file": range(n), "speaker": speakers, "label": truth}).astype(str)
    runs = [
        table.assign(
            seed=seed, prediction=np.where(run, truth, np.where(truth == "fear", "anger", "fear"))
        )
        for seed, run in enumerate(right)
    ]
    protocol = {"name": "published" if caveat else "leave-one-speaker-out"}
    settings = {
        "seeds": list(range(len(right))),
        "protocol": protocol | ({"caveat": caveat} if caveat else {}),
        "corpus": {"emotions": ["anger", "fear"]},
    }
    return Evaluation(pd.concat(runs, ignore_index=True), pd.DataFrame(), settings)


def right_in(*rows, n=60):
    return ~np.isin(np.arange(n), rows)


@pytest.fixture(scope="module")
def six_speakers():
    return make_corpus(speakers=tuple("abcdef"))


def test_a_model_does_not_differ_from_itself(six_speakers):
    evaluation = evaluate(StandIn(), six_speakers)
    comparison = compare(evaluation, evaluation)
    assert comparison.differences == dict.fromkeys(SCORE_NAMES, 0.0)
    assert comparison.p_values == dict.fromkeys(SCORE_NAMES, 1.0)
    assert comparison.intervals == dict.fromkeys(SCORE_NAMES, (0.0, 0.0))
    assert (comparison.n_only_first, comparison.n_only_second) == (0, 0)
    assert comparison.mcnemar_p_value == 1
    assert comparison.caveats == ()


def test_a_model_that_is_better_for_every_speaker():
    wrong = [row for row in range(60) if row % 10 < 4]  # 4 of the 10 of each speaker
    comparison = compare(make_evaluation(right_in()), make_evaluation(right_in(*wrong)))
    assert comparison.differences["wa"] == pytest.approx(0.4)
    assert comparison.intervals["wa"] == pytest.approx((0.4, 0.4))
    # None of 2000 draws contradicts it, but by chance six speakers agree in 2 of 2**6 cases.
    assert comparison.p_values["wa"] == pytest.approx(2 / 2**6)
    assert (comparison.n_only_first, comparison.n_only_second) == (24, 0)
    assert comparison.mcnemar_p_value == pytest.approx(2 * 0.5**24)


def all_draws(by_speaker):
    """Return the mean of each of the equally likely draws of speakers."""
    n = len(by_speaker)
    return np.array([np.mean(by_speaker[list(drawn)]) for drawn in product(range(n), repeat=n)])


def test_the_bootstrap_against_all_draws():
    # Of speakers 0 to 5 the first model is right in 3, 2, 1, 0, -1, 1 of 10 more than the second.
    first = make_evaluation(right_in(40, 41))
    second = make_evaluation(right_in(0, 1, 2, 10, 11, 20, 40, 50))
    by_speaker = np.array([3, 2, 1, 0, -1, 1]) / 10
    comparison = compare(first, second)
    assert comparison.differences["wa"] == pytest.approx(by_speaker.mean())
    draws = all_draws(by_speaker)
    low, high = np.quantile(draws, [0.025, 0.975])
    assert comparison.intervals["wa"] == pytest.approx((low, high), abs=0.02)
    expected = 2 * np.mean(draws <= 1e-12)
    assert 0.01 < expected < 0.2
    assert comparison.p_values["wa"] == pytest.approx(expected, abs=0.02)


def test_exchange_changes_the_sign_only(noise):
    first, second = (evaluate(StandIn(C=C), noise) for C in (1.0, 1e-3))
    one, other = compare(first, second), compare(second, first)
    assert one.differences["uar"] != 0
    for score in SCORE_NAMES:
        assert one.differences[score] == -other.differences[score]
        low, high = one.intervals[score]
        assert other.intervals[score] == pytest.approx((-high, -low))
    assert one.p_values == other.p_values
    assert one.mcnemar_p_value == other.mcnemar_p_value
    assert (one.n_only_first, one.n_only_second) == (other.n_only_second, other.n_only_first)


@pytest.mark.parametrize(("n_first", "n_second"), [(0, 0), (1, 0), (5, 5), (9, 2), (3, 11)])
def test_mcnemar_by_its_formula(n_first, n_second):
    first = make_evaluation(right_in(*range(n_second)))
    second = make_evaluation(right_in(*range(30, 30 + n_first)))
    comparison = compare(first, second)
    assert (comparison.n_only_first, comparison.n_only_second) == (n_first, n_second)
    n, fewer = n_first + n_second, min(n_first, n_second)
    one_sided = sum(comb(n, k) for k in range(fewer + 1)) / 2**n
    assert comparison.mcnemar_p_value == pytest.approx(min(1, 2 * one_sided))


def test_several_seeds_are_compared_by_their_means():
    first = make_evaluation(right_in(0), right_in(0), right_in(1, 2, 3, 4))
    second = make_evaluation(right_in(0, 1, 2))
    comparison = compare(first, second)
    assert comparison.differences["wa"] == pytest.approx((3 - (1 + 1 + 4) / 3) / 60)
    # Rows 0 to 2 are right in 1, 2 and 2 of the first's 3 seeds; 3 and 4 in 2, where the second is.
    assert (comparison.n_only_first, comparison.n_only_second) == (3, 2)


def test_a_speaker_who_ties_but_for_rounding_counts_as_a_tie():
    n = 30
    speakers = ["a"] * 10 + ["b"] * 10 + ["c"] * 10
    first = make_evaluation(right_in(0, 20, n=n), right_in(0, 1, 2, 21, n=n), speakers=speakers)
    second = make_evaluation(right_in(0, 1, 10, 20, n=n), speakers=speakers)
    # Speakers a and c tie in the mean of the seeds, so a draw without b, 8 of 27, is a tie.
    n_ties = (np.abs(_resampled_differences(first, second)) < 1e-12).sum()
    assert n_ties == pytest.approx(2000 * 8 / 27, rel=0.15)
    assert compare(first, second).p_values["wa"] == pytest.approx(2 * (n_ties + 1) / 2001)


def _resampled_differences(first, second):
    truth, speakers = (first.utterances[name].to_numpy() for name in ("label", "speaker"))
    labels = np.unique(truth)
    scores = [
        resample_scores(confusions_by_speaker(truth, e.runs(), speakers, labels))["wa"]
        for e in (first, second)
    ]
    return scores[0] - scores[1]


def test_seeds_of_an_evaluation_are_those_of_its_pooled_scores(noise):
    first, second = (evaluate(Seeded(C=C), noise, seeds=(0, 1)) for C in (1.0, 1e-3))
    comparison = compare(first, second)
    for score in SCORE_NAMES:
        assert comparison.differences[score] == first.pooled[score] - second.pooled[score]


def test_one_speaker_gives_no_interval():
    first = make_evaluation(right_in(), speakers=["a"] * 60)
    second = make_evaluation(right_in(0, 1), speakers=["a"] * 60)
    comparison = compare(first, second)
    assert comparison.differences["wa"] == pytest.approx(2 / 60)
    assert np.isnan(list(comparison.p_values.values())).all()
    assert np.isnan(list(comparison.intervals.values())).all()
    assert comparison.mcnemar_p_value == 0.5
    assert "nan" in str(comparison)
    assert comparison.caveats == ()


@pytest.mark.parametrize("n_speakers", [2, 5, 6, 12])
def test_p_is_never_below_that_of_a_sign_test(n_speakers):
    speakers = np.arange(60) % n_speakers
    wrong = [row for row in range(60) if row // n_speakers % 2]  # of each speaker
    first = make_evaluation(right_in(), speakers=speakers)
    comparison = compare(first, make_evaluation(right_in(*wrong), speakers=speakers))
    exact = stats.binomtest(n_speakers, n_speakers).pvalue
    assert comparison.p_values["wa"] == pytest.approx(max(exact, 2 / 2001))
    assert bool(comparison.caveats) == (exact > 0.05)
    caveat = f"With {n_speakers} speakers the table's p cannot be below {exact:.2f}, and its"
    assert (caveat in str(comparison)) == (exact > 0.05)


def test_a_folder_is_refused(whole):
    for pair in ((whole, "results"), ("results", whole)):
        with pytest.raises(TypeError, match=r"two Evaluations\. Got str instead; .*\.load\(folder"):
            compare(*pair)


def test_other_utterances_are_refused(whole):
    fewer = evaluate(StandIn(), make_corpus(n_utterances=2))
    with pytest.raises(EvaluationError, match=r"same utterances in the same order.* 36 and 24 utt"):
        compare(whole, fewer)


@pytest.mark.parametrize("column", ["file", "speaker", "label"])
def test_one_other_utterance_is_refused(whole, column):
    table = whole.predictions.copy()
    table.loc[0, column] = "other"
    other = Evaluation(table, whole.folds, deepcopy(whole.settings))
    with pytest.raises(EvaluationError, match="36 and 36 utterances, of which 35 are the same"):
        compare(whole, other)


def test_another_protocol_on_the_same_utterances_is_compared(six_speakers):
    first = evaluate(StandIn(), six_speakers)
    other = evaluate(StandIn(), six_speakers, protocol="leave-one-session-out")
    assert compare(first, other).caveats == (
        "The protocols differ: leave-one-speaker-out and leave-one-session-out.",
    )


def test_print_says_what_was_tested():
    caveat = "knows the test fold"
    first = make_evaluation(right_in(), caveat=caveat)
    second = make_evaluation(right_in(*range(0, 60, 10)))
    comparison = compare(first, second)
    assert comparison.caveats == (
        "The protocols differ: published and leave-one-speaker-out.",
        "The first evaluation knows the test fold.",
    )
    lines = str(comparison).splitlines()
    assert lines[0].split() == ["in", "points", "difference", "95", "%", "interval", "p"]
    wa = [line.split() for line in lines if line.startswith("WA")]
    assert wa == [["WA", "+10.00", "+10.00", "to", "+10.00", "0.0312"]]
    assert "McNemar: 6 utterances the first predicts right more often, 0 the second" in lines[-3]
    assert lines[-1] == "The first evaluation knows the test fold."
    assert str(compare(second, first)).endswith("The second evaluation knows the test fold.")
    assert caveat not in str(compare(second, second))
