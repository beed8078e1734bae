"""Runs a protocol fold by fold, keeps each on disk, and returns one Evaluation."""

import os
import warnings
from collections.abc import Iterable
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator
from sklearn.utils import Bunch
from sklearn.utils.validation import check_consistent_length

from ._environment import describe_backend, describe_processors, describe_versions
from ._files import read_json, write_json
from ._folds import estimate_seconds, find_classifier, run_folds
from ._store import FoldStore, describe_corpus, describe_model
from ._utterances import is_path
from .callbacks import FoldBar, show_estimate
from .exceptions import EvaluationError, MissingClassWarning
from .metrics import SCORE_NAMES, bootstrap_intervals, score_predictions
from .protocols import LEAVE_ONE_SPEAKER_OUT, Fold, split_corpus, with_content


@dataclass(frozen=True, eq=False)
class Evaluation:
    """What a model gave on speakers that it had not heard.

    Attributes
    ----------
    predictions : DataFrame
        One row an utterance, in the corpus' order: `file`, `speaker`, `label`, `prediction`, and
        a column `p_<emotion>` with the probability of each emotion (0 for one that the fold's
        training speakers lack); the probabilities only if the model gives them.
    folds : DataFrame
        One row a fold: `fold`, `n_train`, `n_test` and `seconds` (s).
    settings : dict
        Corpus, protocol, model and versions; plain JSON.

    See Also
    --------
    evaluate : Makes one.
    """

    predictions: pd.DataFrame
    folds: pd.DataFrame
    settings: dict[str, Any]

    # To their users the properties are attributes, so they have no Returns section.

    @property
    def pooled(self) -> dict[str, float]:  # numpydoc ignore=RT01
        """Score of all utterances together, whichever fold predicted them."""
        return score_predictions(self.predictions["label"], self.predictions["prediction"])

    @property
    def intervals(self) -> dict[str, tuple[float, float]]:  # numpydoc ignore=RT01
        """95 % confidence intervals of the pooled scores, by a bootstrap over speakers."""
        table = self.predictions
        return bootstrap_intervals(table["label"], table["prediction"], table["speaker"])

    @property
    def per_speaker(self) -> pd.DataFrame:  # numpydoc ignore=RT01
        """Score of each speaker by itself: one row a speaker, with its count of utterances."""
        rows = {
            speaker: {
                "n_utterances": len(table),
                **score_predictions(table["label"], table["prediction"]),
            }
            for speaker, table in self.predictions.groupby("speaker")
        }
        return pd.DataFrame.from_dict(rows, orient="index").rename_axis("speaker")

    @property
    def mean_over_speakers(self) -> dict[str, float]:  # numpydoc ignore=RT01
        """Mean of the speakers' scores: another number than the pooled one."""
        table = self.per_speaker
        return {score: float(table[score].mean()) for score in SCORE_NAMES}

    def save(self, folder: str | os.PathLike) -> None:
        """Write `predictions.csv`, `folds.csv`, `scores.json` and `settings.json`.

        Parameters
        ----------
        folder : path-like
            Created when it is missing.
        """
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        self.predictions.to_csv(folder / "predictions.csv", index=False)
        self.folds.to_csv(folder / "folds.csv", index=False)
        write_json(folder / "settings.json", self.settings)
        scores = {
            "pooled": self.pooled,
            "pooled_95_percent_interval": self.intervals,
            "mean_over_speakers": self.mean_over_speakers,
            "per_speaker": self.per_speaker.to_dict(orient="index"),
            "unseen": self.settings["protocol"]["unseen"],
        }
        write_json(folder / "scores.json", scores)

    @classmethod
    def load(cls, folder: str | os.PathLike) -> Self:
        """Read what `save` wrote.

        Parameters
        ----------
        folder : path-like
            The folder.

        Returns
        -------
        evaluation : Evaluation
            With the same tables and settings.

        Raises
        ------
        EvaluationError
            If the folder holds no finished evaluation.
        """
        folder = Path(folder)
        if not (folder / "predictions.csv").exists():
            raise EvaluationError(f"The folder '{folder}' holds no finished evaluation.")
        predictions, folds = (
            pd.read_csv(folder / name, dtype=str, keep_default_na=False)  # "NA" may be a label
            for name in ("predictions.csv", "folds.csv")
        )
        probabilities = [name for name in map(str, predictions) if name.startswith("p_")]
        predictions = predictions.astype(dict.fromkeys(probabilities, float))
        folds = folds.astype({"n_train": int, "n_test": int, "seconds": float})
        return cls(predictions, folds, read_json(folder / "settings.json"))

    def __str__(self) -> str:
        corpus, protocol = self.settings["corpus"], self.settings["protocol"]
        lines = [
            f"{corpus['name']}: {corpus['n_utterances']} utterances, "
            f"{len(corpus['speakers'])} speakers, {len(corpus['emotions'])} emotions",
            f"Protocol: {protocol['name']}.",
            f"Unseen: {protocol['unseen']}.",
            *([f"Epoch: {protocol['epoch']}."] if protocol["epoch"] else []),
            "",
            f"{'in %':<20}{'n':>5}" + "".join(f"{name:>13}" for name in SCORE_NAMES.values()),
        ]
        for speaker, row in self.per_speaker.iterrows():
            lines.append(_score_line(f"speaker {speaker}", int(row["n_utterances"]), dict(row)))
        n = len(self.predictions)
        lines.append(_score_line("mean over speakers", n, self.mean_over_speakers))
        lines.append(_score_line("pooled", n, self.pooled))
        ends = "".join(
            f"{f'{100 * low:.1f}-{100 * high:.1f}':>13}" for low, high in self.intervals.values()
        )
        return "\n".join([*lines, f"{'95 % interval':<25}{ends}"])


def _score_line(name: str, n: int, scores: dict) -> str:
    return f"{name:<20}{n:>5}" + "".join(f"{100 * scores[key]:>13.2f}" for key in SCORE_NAMES)


def evaluate(
    model: BaseEstimator,
    corpus: Bunch,
    *,
    out: str | os.PathLike | None = None,
    resume: bool = False,
    n_jobs: int | None = None,
    n_threads: int | None = None,
    verbose: int = 0,
) -> Evaluation:
    """Evaluate a model on speakers that it has not heard: each is held out once.

    Every split is audited before anything is trained. The epoch is the last one, so no score
    knows the speaker it is measured on.

    Parameters
    ----------
    model : estimator
        A classifier of the corpus' `data`, such as the Pipeline of `make_light_sernet`. It is
        cloned for each fold.
    corpus : Bunch
        A corpus of `skser.datasets`: `data`, `target`, `groups` and, if known, `frame`.
    out : path-like, default=None
        A folder. Every finished fold is written to it at once, the results at the end.
    resume : bool, default=False
        Go on with the folds that `out` holds; their settings must be the same.
    n_jobs : int or None, default=None
        Number of folds that are trained at a time, each in a process of its own.
    n_threads : int or None, default=None
        Number of TensorFlow threads of each of these processes; None shares the processors
        evenly. Without parallel folds the number belongs to the caller's process.
    verbose : int, default=0
        1 says how long it will take and shows a progress bar.

    Returns
    -------
    evaluation : Evaluation
        Predictions of all utterances, with pooled and per-speaker scores.

    Raises
    ------
    EvaluationError
        If the corpus has fewer than two speakers, lengths differ, a split is not independent, or
        `out` holds another run.
    AudioFileError
        If recordings cannot be read; nothing is trained then.

    Warns
    -----
    MissingClassWarning
        If a fold's training speakers lack an emotion, so that it cannot be predicted.

    References
    ----------
    B. Schuller et al., "Cross-corpus acoustic emotion recognition: variances and strategies",
    IEEE Transactions on Affective Computing, 2010 (speaker-independent evaluation and UAR).
    """
    if resume and out is None:
        raise EvaluationError("resume=True needs the folder to go on with; pass out=.")
    if n_jobs == 0:
        raise EvaluationError(
            "The 'n_jobs' parameter of evaluate must be None, at least 1, or -1. Got 0 instead."
        )
    corpus = _check_corpus(corpus)
    folds = list(split_corpus(corpus))
    _check_classes(folds, corpus)
    classifier = find_classifier(model)
    settings = {
        "corpus": describe_corpus(corpus),
        "protocol": {
            **LEAVE_ONE_SPEAKER_OUT._asdict(),
            "epoch": classifier and f"the last of {classifier.epochs}, fixed before the run",
        },
        "model": describe_model(model),
        "versions": describe_versions(),
        "keras_backend": classifier and describe_backend(),
        "processors": describe_processors(n_jobs, n_threads),
    }
    store = FoldStore(out, settings, resume=resume) if out is not None else None
    finished = {f.name: done for f in folds if store and (done := store.read(f.name))}
    todo = [fold for fold in folds if fold.name not in finished]
    if verbose and todo:
        show_estimate(len(todo), estimate_seconds(model, corpus, todo))
    if store:
        store.start()
    with FoldBar(len(folds), len(finished)) if verbose else nullcontext() as bar:
        for name, result in run_folds(model, corpus, todo, store, n_jobs, n_threads):
            finished[name] = result
            if bar:
                bar.finish_fold()
    evaluation = _assemble(corpus, folds, finished, settings)
    if out is not None:
        evaluation.save(out)
    return evaluation


def _check_corpus(corpus: Bunch) -> Bunch:
    """Return the corpus by position, whatever index its columns have, with digests."""
    for column in ("data", "target", "groups"):
        if column not in corpus:
            raise EvaluationError(
                f"A corpus must have 'data', 'target' and 'groups' (speakers). '{column}' is "
                "missing; make_bunch makes a corpus from a table."
            )
    try:
        check_consistent_length(corpus.data, corpus.target, corpus.groups)
    except ValueError as error:
        raise EvaluationError(
            "A corpus must have as many 'data' as 'target' and 'groups'. Got "
            f"{len(corpus.data)}, {len(corpus.target)} and {len(corpus.groups)}."
        ) from error
    if len(np.unique(corpus.target)) < 2:
        raise EvaluationError("A corpus must have at least two emotions to be told apart.")
    return with_content(
        Bunch(
            name=corpus.get("name", "corpus"),
            data=list(corpus.data),
            target=np.asarray(corpus.target),
            groups=np.asarray(corpus.groups),
            file=_file_names(corpus),
        )
    )


def _check_classes(folds: Iterable[Fold], corpus: Bunch) -> None:
    emotions = np.unique(corpus.target)
    for fold in folds:
        heard = np.unique(corpus.target[fold.train])
        if len(heard) < 2:
            raise EvaluationError(
                f"Fold '{fold.name}': the training speakers have only one emotion, {heard[0]}; "
                "a model needs at least two to tell apart."
            )
        missing = [str(emotion) for emotion in np.setdiff1d(emotions, heard)]
        if missing:
            warnings.warn(
                f"Fold '{fold.name}': the training speakers lack {', '.join(missing)}, so the "
                "model cannot predict it there; its probability is written as 0.",
                MissingClassWarning,
                stacklevel=3,
            )


def _assemble(corpus: Bunch, folds: list[Fold], finished: dict, settings: dict) -> Evaluation:
    """Put the folds' predictions into the corpus' order, with one column an emotion."""
    tables = []
    for fold in folds:
        result = finished[fold.name]
        table = pd.DataFrame({"prediction": result["predictions"]}, index=fold.test).astype(str)
        if result["probabilities"] is not None:
            columns = [f"p_{label}" for label in result["classes"]]
            table[columns] = np.array(result["probabilities"])
        tables.append(table)
    predicted = pd.concat(tables).sort_index()
    probabilities = [f"p_{label}" for label in settings["corpus"]["emotions"]]
    if predicted.shape[1] > 1:
        predicted = predicted.reindex(columns=["prediction", *probabilities]).fillna(
            dict.fromkeys(probabilities, 0.0)
        )
    known = pd.DataFrame(
        {"file": corpus.file, "speaker": corpus.groups, "label": corpus.target}
    ).astype(str)
    rows = [
        {key: finished[fold.name][key] for key in ("fold", "n_train", "n_test", "seconds")}
        for fold in folds
    ]
    return Evaluation(known.join(predicted), pd.DataFrame(rows), settings)


def _file_names(corpus: Bunch) -> list[str]:
    if "frame" in corpus and "file" in corpus.frame:
        return [str(name) for name in corpus.frame["file"]]
    if all(is_path(utterance) for utterance in corpus.data):
        return [str(utterance) for utterance in corpus.data]
    return [f"utterance {row}" for row in range(len(corpus.data))]
