"""What a search gave: an evaluation of each candidate, side by side."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd
from sklearn.model_selection import ParameterGrid

from ._candidates import name_candidate, short_names
from ._files import read_json, replaced_file
from ._store import write_settings
from ._text import align
from .exceptions import EvaluationError
from .metrics import SCORE_NAMES
from .protocols import SpeakerAdaptation
from .results import Evaluation, make_card

OPTIMISM = "the best was chosen by these scores, so its own is optimistic"
"""What must be said with the scores of a search."""


@dataclass(frozen=True, eq=False)
class SearchResult:
    """What the candidates of a search gave under a protocol.

    The score of the best candidate is optimistic: it is the highest of several on the same
    speakers, and part of that is luck. It chooses parameters. It is not a result.

    Attributes
    ----------
    params : list of dict
        Parameters of each candidate.
    evaluations : list of (Evaluation or None)
        What each gave; None for one of which a fold failed.
    failures : DataFrame
        One row a fold that failed: `candidate`, `seed`, `fold`, `reason`.
    settings : dict
        Grid, corpus, protocol, model, seeds, versions, backend and command; plain JSON.

    See Also
    --------
    search : Makes one.
    compare : Tests two of its evaluations against each other.
    """

    params: list[dict[str, Any]]
    evaluations: list[Evaluation | None]
    failures: pd.DataFrame
    settings: dict[str, Any]

    # To their users the properties are attributes, so they have no Returns section.

    @property
    def results(self) -> pd.DataFrame:  # numpydoc ignore=RT01
        """One row a candidate, numbered from 1 on, with columns like those of `cv_results_`.

        `param_<name>` are its parameters. `rank` is that of its pooled UAR, 1 is best, and equal
        ones share the better rank. `pooled_<score>` is the score of all utterances together;
        `mean_test_<score>` and `std_test_<score>` are the mean and the standard deviation of the
        speakers' own scores. The scores are uar, wa, f1_macro and f1_weighted, NaN for a candidate
        of which a fold failed.
        """
        rows = [_score(evaluation) for evaluation in self.evaluations]
        numbers = pd.RangeIndex(1, len(rows) + 1, name="candidate")
        scores = pd.DataFrame(rows, index=numbers)
        names = dict.fromkeys(name for params in self.params for name in params)
        table = pd.DataFrame(index=numbers)
        for name in names:
            values = [params.get(name) for params in self.params]
            table[f"param_{name}"] = pd.Series(values, index=numbers, dtype=object)
        ranks = scores["pooled_uar"].rank(method="min", ascending=False, na_option="bottom")
        table["rank"] = ranks.astype(int)
        return pd.concat([table, scores], axis=1)

    @property
    def best(self) -> int | None:  # numpydoc ignore=RT01
        """The candidate with the highest pooled UAR, of several the first; None if all failed."""
        scores = self.results["pooled_uar"].to_numpy()
        return None if np.isnan(scores).all() else int(np.nanargmax(scores)) + 1

    @property
    def best_params(self) -> dict[str, Any] | None:  # numpydoc ignore=RT01
        """The parameters of the best candidate; None if all failed."""
        return None if self.best is None else self.params[self.best - 1]

    @property
    def caveat(self) -> str:  # numpydoc ignore=RT01
        """What must be said with the scores."""
        of_protocol = self.settings["protocol"].get("caveat", "")
        return "; ".join(text for text in (of_protocol, OPTIMISM) if text)

    def save(self, folder: str | os.PathLike) -> None:
        """Write `results.csv`, `failures.csv`, `settings.json` and an evaluation a candidate.

        Parameters
        ----------
        folder : path-like
            Created when it is missing.

        Raises
        ------
        EvaluationError
            If it holds files of something else.
        """
        write_settings(folder, self.settings)
        for number, evaluation in enumerate(self.evaluations, start=1):
            if evaluation is not None:
                evaluation.save(candidate_folder(folder, number))
        self.failures.to_csv(Path(folder, "failures.csv"), index=False)
        # The last one: where it is, `load` takes the search for finished.
        with replaced_file(Path(folder, "results.csv")) as path:
            self.results.assign(caveat=self.caveat).to_csv(path)

    @classmethod
    def load(cls, folder: str | os.PathLike) -> Self:
        """Read what `save` wrote.

        Parameters
        ----------
        folder : path-like
            The folder.

        Returns
        -------
        result : SearchResult
            As it was saved; parameters that JSON lacks are given as text.

        Raises
        ------
        EvaluationError
            If the folder holds no finished search.
        """
        if not Path(folder, "results.csv").exists():
            raise EvaluationError(f"The folder '{folder}' holds no finished search.")
        settings = read_json(Path(folder, "settings.json"))
        params = [dict(params) for params in ParameterGrid(settings["grid"])]
        folders = [candidate_folder(folder, number + 1) for number in range(len(params))]
        failures = pd.read_csv(Path(folder, "failures.csv"), dtype=str, keep_default_na=False)
        evaluations = [
            Evaluation.load(path) if (path / "predictions.csv").exists() else None
            for path in folders
        ]
        return cls(params, evaluations, failures.astype({"candidate": int, "seed": int}), settings)

    def __str__(self) -> str:
        n_folds = [len(e.folds) // len(e.seeds) for e in self.evaluations if e is not None]
        names = [str(name) for name in self.results if str(name).startswith("param_")]
        short = short_names([name.removeprefix("param_") for name in names])
        rows = [["candidate", *short.values(), *SCORE_NAMES.values(), "UAR, speakers"]]
        for number, row in self.results.sort_values("rank", kind="stable").iterrows():
            scores = [f"{100 * row[f'pooled_{name}']:.2f}" for name in SCORE_NAMES]
            mean, std = 100 * row["mean_test_uar"], 100 * row["std_test_uar"]
            rows.append(
                [
                    str(number),
                    *(str(row[name]) for name in names),
                    *scores,
                    f"{mean:.2f} ±{std:.2f}",
                ]
            )
        lines = [
            make_card(self.settings, n_folds[0] if n_folds else None),
            "",
            f"Pooled, in %, and mean and standard deviation over speakers ({self.caveat}):",
            align(rows),
            "",
        ]
        lines += [
            f"Failed: candidate {row['candidate']}, fold {row['fold']}, seed {row['seed']}: "
            f"{row['reason']}"
            for row in self.failures.to_dict(orient="records")
        ]
        return "\n".join([*lines, self._advise()])

    def _advise(self) -> str:
        if self.best is None or self.best_params is None:
            return "No candidate was finished."
        score = self.results["pooled_uar"].max()
        report = "search inside the training speakers of each fold: "
        report += "evaluate(GridSearchCV(model, grid, cv=GroupKFold()), corpus)."
        if self.settings["protocol"]["name"] == SpeakerAdaptation.name:  # takes no search inside
            report = "evaluate the best one on speakers that the search has not heard."
        return (
            f"Best is candidate {self.best}: {name_candidate(self.best_params)}. It was chosen by "
            f"the speakers that it is scored on, so its UAR of {score:.1%} is optimistic. For a "
            f"number to report, {report}"
        )


def candidate_folder(folder: str | os.PathLike, number: int) -> Path:
    """Return the folder of a candidate inside that of its search.

    Parameters
    ----------
    folder : path-like
        The folder of the search.
    number : int
        Number of the candidate, from 1 on.

    Returns
    -------
    path : Path
        Holds an evaluation.
    """
    return Path(folder, "candidates", f"{number:02d}")


def _score(evaluation: Evaluation | None) -> dict[str, float]:
    if evaluation is None:
        kinds = ("pooled", "mean_test", "std_test")
        return {f"{kind}_{name}": np.nan for kind in kinds for name in SCORE_NAMES}
    pooled, table = evaluation.pooled, evaluation.per_speaker
    return {
        **{f"pooled_{name}": pooled[name] for name in SCORE_NAMES},
        **{f"mean_test_{name}": float(table[name].mean()) for name in SCORE_NAMES},
        **{f"std_test_{name}": float(table[name].std(ddof=0)) for name in SCORE_NAMES},
    }
