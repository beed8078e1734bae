"""Is one model better than another? A paired test of two evaluations."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from .exceptions import EvaluationError
from .metrics import (
    FEW_SPEAKERS,
    SCORE_NAMES,
    confusions_by_speaker,
    percentile_interval,
    resample_scores,
)
from .results import Evaluation


@dataclass(frozen=True)
class Comparison:
    """How two models differ on the same utterances.

    Attributes
    ----------
    differences : dict of str to float
        Pooled score of the first model minus that of the second, means over seeds.
    intervals : dict of str to (float, float)
        95 % confidence intervals of the differences, by a paired bootstrap over speakers.
    p_values : dict of str to float
        Two-sided, of the same bootstrap, but not below that of an exact sign test in which all
        speakers agree, 2 / 2**n_speakers; nan if there is only one speaker.
    n_only_first, n_only_second : int
        Number of utterances that only the first or only the second model predicts right; of
        several seeds, that it predicts right with a greater share of them.
    mcnemar_p_value : float
        Exact, two-sided. It takes utterances as independent, which those of a speaker are not.
    caveats : tuple of str
        What speaks against the comparison: other protocols, few speakers, or what the evaluations
        say of themselves.

    See Also
    --------
    compare : Makes one.
    """

    differences: dict[str, float]
    intervals: dict[str, tuple[float, float]]
    p_values: dict[str, float]
    n_only_first: int
    n_only_second: int
    mcnemar_p_value: float
    caveats: tuple[str, ...]

    def __str__(self) -> str:
        lines = [f"{'in points':<12}{'difference':>12}{'95 % interval':>18}{'p':>9}"]
        for score, name in SCORE_NAMES.items():
            low, high = (100 * end + 0.0 for end in self.intervals[score])
            lines.append(
                f"{name:<12}{100 * self.differences[score]:>+12.2f}"
                f"{f'{low:+.2f} to {high:+.2f}':>18}{_print_p(self.p_values[score]):>9}"
            )
        return "\n".join(
            [
                *lines,
                "First minus second; paired bootstrap over speakers.",
                f"McNemar: {self.n_only_first} utterances the first predicts right more often, "
                f"{self.n_only_second} the second, p: {_print_p(self.mcnemar_p_value)} "
                "(too hopeful: utterances of a speaker are not independent).",
                *self.caveats,
            ]
        )


def _print_p(p_value: float) -> str:
    return "<0.0001" if p_value < 0.0001 else f"{p_value:.4f}"


def compare(first: Evaluation, second: Evaluation) -> Comparison:
    """Compare two models that were evaluated on the same utterances.

    Parameters
    ----------
    first, second : Evaluation
        What `evaluate` returned. With several seeds the scores are means over them, and
        McNemar's test (then a sign test) counts for each utterance which model is right with the
        greater share of its seeds.

    Returns
    -------
    comparison : Comparison
        Differences with confidence intervals and tests.

    Raises
    ------
    EvaluationError
        If the utterances, their speakers or their labels differ.
    TypeError
        If one of them is something else, such as a folder.

    References
    ----------
    .. [1] M. Bisani, H. Ney, "Bootstrap estimates for confidence intervals in ASR performance
       evaluation", ICASSP 2004 (the paired bootstrap over speakers).
    .. [2] Q. McNemar, "Note on the sampling error of the difference between correlated
       proportions or percentages", Psychometrika, 1947.

    Examples
    --------
    >>> from skser import compare, evaluate
    >>> from skser.baselines import make_baseline
    >>> from skser.datasets import make_emotional_speech
    >>> corpus = make_emotional_speech(n_speakers=3, random_state=0)
    >>> svc, majority = (evaluate(make_baseline(b), corpus) for b in ("mfcc_svc", "majority"))
    >>> compare(svc, majority).differences["uar"] > 0
    True
    """
    for evaluation in (first, second):
        if not isinstance(evaluation, Evaluation):
            raise TypeError(
                f"compare takes two Evaluations. Got {type(evaluation).__name__} instead; "
                "Evaluation.load(folder) makes one of a folder."
            )
    table = first.utterances
    if not table.equals(second.utterances):
        raise EvaluationError(
            "Two evaluations can be compared if they predict the same utterances in the same "
            "order, with the same speakers and labels. Got "
            f"{len(table)} and {len(second.utterances)} utterances, of which "
            f"{len(table.merge(second.utterances).drop_duplicates())} are the same."
        )
    truth, speakers = table["label"].to_numpy(), table["speaker"].to_numpy()
    runs = (first.runs(), second.runs())
    labels = np.unique(np.concatenate([truth, *(run.ravel() for run in runs)]))
    counts = [confusions_by_speaker(truth, run, speakers, labels) for run in runs]
    differences = _differences(first.pooled, second.pooled)
    n_speakers = len(counts[0])
    p_values = dict.fromkeys(differences, float("nan"))
    intervals = dict.fromkeys(differences, (float("nan"), float("nan")))
    if n_speakers > 1:
        resampled = _differences(*map(resample_scores, counts))
        intervals = {name: percentile_interval(d, 0.95) for name, d in resampled.items()}
        smallest = _smallest_p(n_speakers)
        p_values = {name: max(smallest, _two_sided(d)) for name, d in resampled.items()}
    # With several seeds, the share of them that is right: no vote, which would have to break ties.
    right = [(run == truth[:, np.newaxis]).mean(axis=1) for run in runs]
    n_only_first, n_only_second = int((right[0] > right[1]).sum()), int((right[1] > right[0]).sum())
    return Comparison(
        differences=differences,
        intervals=intervals,
        p_values=p_values,
        n_only_first=n_only_first,
        n_only_second=n_only_second,
        mcnemar_p_value=_mcnemar(n_only_first, n_only_second),
        caveats=_caveats(first, second, n_speakers),
    )


def _caveats(first: Evaluation, second: Evaluation, n_speakers: int) -> tuple[str, ...]:
    names = [evaluation.settings["protocol"]["name"] for evaluation in (first, second)]
    differ = names[0] != names[1]
    few = 1 < n_speakers <= FEW_SPEAKERS
    of_few = (
        f"With {n_speakers} speakers the table's p cannot be below {_smallest_p(n_speakers):.2f}, "
        "and its intervals are too narrow."
    )
    return (
        *([f"The protocols differ: {' and '.join(names)}."] if differ else []),
        *([of_few] if few else []),
        *(
            f"The {which} evaluation {evaluation.caveat}."
            for which, evaluation in (("first", first), ("second", second))
            if evaluation.caveat
        ),
    )


def _differences(first: dict, second: dict) -> dict:
    return {score: first[score] - second[score] for score in SCORE_NAMES}


def _smallest_p(n_speakers: int) -> float:
    """Return p of an exact sign test, two-sided, if all speakers agree.

    The bootstrap does not know how few they are: it would give 0.001 for two.
    """
    return 2 / 2**n_speakers


def _two_sided(differences: NDArray[np.float64]) -> float:
    """Return how seldom a draw contradicts the sign of the difference, counting one that does."""
    tie = 1e-12  # scores are sums in another order, which rounds
    n_contrary = min((differences <= tie).sum(), (differences >= -tie).sum())
    return min(1.0, float(2 * (n_contrary + 1) / (len(differences) + 1)))


def _mcnemar(n_only_first: int, n_only_second: int) -> float:
    n_discordant = n_only_first + n_only_second
    if not n_discordant:
        return 1.0
    return float(stats.binomtest(n_only_first, n_discordant).pvalue)
