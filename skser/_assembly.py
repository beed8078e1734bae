"""The results of single trainings, put together."""

from typing import Any

import numpy as np
import pandas as pd
from sklearn.utils import Bunch

from ._folds import Job
from .results import Evaluation


def assemble(
    corpus: Bunch, jobs: list[Job], finished: dict, settings: dict[str, Any]
) -> Evaluation:
    """Put the predictions into the order of seeds and corpus, with one column an emotion.

    Parameters
    ----------
    corpus : Bunch
        The corpus.
    jobs : list of Job
        The trainings.
    finished : dict of (int, str) to dict
        What each of them gave, by its key.
    settings : dict
        What they were made with.

    Returns
    -------
    evaluation : Evaluation
        Of all trainings.
    """
    known = pd.DataFrame(
        {"file": corpus.file, "speaker": corpus.groups, "label": corpus.target}
    ).astype(str)
    tables = [_tabulate(job, finished[job.key], known) for job in jobs]
    predicted = pd.concat([table.sort_index() for table in _by_seed(jobs, tables)])
    ordered = [f"p_{label}" for label in settings["corpus"]["emotions"]]
    if predicted.columns.isin(ordered).any():
        others = [name for name in predicted if name not in ordered]
        predicted = predicted.reindex(columns=[*others, *ordered])
        predicted = predicted.fillna(dict.fromkeys(ordered, 0.0))
    known_of_network = ("epoch", "n_parameters")
    columns = ("seed", "fold", "caveat", "n_train", "n_test", "best_params", *known_of_network)
    rows = [
        {
            name: finished[job.key][name]
            for name in (*columns, "seconds")
            if name in finished[job.key]
        }
        for job in jobs
    ]
    folds = pd.DataFrame(rows)
    return Evaluation(predicted.reset_index(drop=True), folds, settings)


def _tabulate(job: Job, result: dict, known: pd.DataFrame) -> pd.DataFrame:
    """Return a fold's predictions as a table, indexed by the rows of the corpus."""
    table = known.iloc[job.fold.test].copy()
    table.insert(0, "seed", job.seed)
    table.insert(1, "fold", job.fold.name)
    for name in ("prediction", "prediction_float16", "prediction_last_epoch"):
        key = name.replace("prediction", "predictions", 1)
        if key in result:
            table[name] = np.array(result[key]).astype(str)
    if "caveat" in result:
        table["caveat"] = result["caveat"]
    if result["probabilities"] is not None:
        table[[f"p_{label}" for label in result["classes"]]] = np.array(result["probabilities"])
    return table


def _by_seed(jobs: list[Job], tables: list[pd.DataFrame]) -> list[pd.DataFrame]:
    seeds = dict.fromkeys(job.seed for job in jobs)
    return [
        pd.concat([table for job, table in zip(jobs, tables, strict=True) if job.seed == seed])
        for seed in seeds
    ]
