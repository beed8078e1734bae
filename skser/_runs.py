"""The trainings of a model under a protocol: planned, read from disk, run and put together."""

import os
import warnings
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.utils import Bunch

from ._assembly import assemble
from ._environment import describe_backend, describe_command, describe_processors, describe_versions
from ._folds import Failure, Job, Task, estimate_seconds, run_tasks
from ._parts import parts_of
from ._predictions import find_network, holds_network
from ._protocol import Fold, Protocol
from ._store import FoldStore, as_json, describe_corpus, describe_model
from .audit import corpus_column
from .callbacks import FoldBar, show_estimate
from .exceptions import FailedFoldWarning, TrainingError
from .functionals import FunctionalsTransformer
from .results import Evaluation


@dataclass
class Run:
    """The trainings of one model.

    Attributes
    ----------
    model : estimator
        The model.
    settings : dict
        What the results depend on; plain JSON.
    store : FoldStore or None
        The folder, if there is one.
    jobs : list of Job
        All trainings.
    finished : dict of (int, str) to dict
        What those gave that are finished, by their keys.
    name : str
        What the model is called beside others; empty if it is the only one.
    """

    model: BaseEstimator
    settings: dict[str, Any]
    store: FoldStore | None
    jobs: list[Job]
    finished: dict[tuple[int, str], dict]
    name: str = ""

    @property
    def todo(self) -> list[Job]:
        """The trainings that are left."""
        return [job for job in self.jobs if job.key not in self.finished]

    def finish(self, corpus: Bunch) -> Evaluation:
        """Put all predictions together.

        Parameters
        ----------
        corpus : Bunch
            The corpus.

        Returns
        -------
        evaluation : Evaluation
            Of all trainings.
        """
        return assemble(corpus, self.jobs, self.finished, self.settings)


class FailedFold(NamedTuple):
    """A training that gave nothing: whose, which and why."""

    run: Run
    job: Job
    failure: Failure

    def __str__(self) -> str:
        seed = f" with seed {self.job.seed}" if len(self.run.settings["seeds"]) > 1 else ""
        whose = f" of {self.run.name}" if self.run.name else ""
        return f"fold '{self.job.fold.name}'{seed}{whose}"


def plan_run(
    model: BaseEstimator,
    folds: Sequence[Fold],
    settings: dict[str, Any],
    *,
    out: str | os.PathLike | None,
    resume: bool,
    name: str = "",
) -> Run:
    """Plan the trainings of a model, and read those that its folder holds.

    Parameters
    ----------
    model : estimator
        The model.
    folds : sequence of Fold
        The splits.
    settings : dict
        What `describe_run` returned.
    out : path-like or None
        The folder.
    resume : bool
        Whether to go on with what it holds.
    name : str, default=""
        What the model is called beside others.

    Returns
    -------
    run : Run
        Nothing is written yet.

    Raises
    ------
    EvaluationError
        If the folder holds another run.
    """
    store = FoldStore(out, settings, resume=resume) if out is not None else None
    if store:
        add_seeds(settings, store.earlier)
    jobs = [Job(fold, seed) for seed in settings["seeds"] for fold in folds]
    finished = {job.key: done for job in jobs if store and (done := store.read(job.key))}
    run = Run(model, settings, store, jobs, finished, name)
    if store and not run.todo:
        keep_origin(settings, store.earlier)
    return run


def add_seeds(settings: dict[str, Any], earlier: dict[str, Any]) -> None:
    """Add the seeds of an earlier run, none of which may be left out: the best would be picked.

    Parameters
    ----------
    settings : dict
        Is changed.
    earlier : dict
        Those of the earlier run; empty if there was none.
    """
    if seeds := earlier.get("seeds"):
        settings["seeds"] = sorted({*seeds, *settings["seeds"]})


def keep_origin(settings: dict[str, Any], earlier: dict[str, Any]) -> None:
    """Keep how an earlier run was made, to which nothing is added.

    Parameters
    ----------
    settings : dict
        Is changed.
    earlier : dict
        Those of the earlier run.
    """
    settings |= {name: earlier[name] for name in ("processors", "command") if name in earlier}


def announce(runs: Sequence[Run], corpus: Bunch) -> None:
    """Say how long the trainings will take.

    Parameters
    ----------
    runs : sequence of Run
        The runs.
    corpus : Bunch
        The corpus.
    """
    waiting = [run for run in runs if run.todo]
    seconds = []
    for run in waiting:
        try:
            seconds.append(estimate_seconds(run.model, corpus, run.todo))
        except (TrainingError, MemoryError):  # it is reported once the fold fails
            seconds.append(None)
    known = [number for number in seconds if number is not None]
    if waiting:
        show_estimate(sum(len(run.todo) for run in waiting), sum(known) if known else None)


def run_all(
    runs: Sequence[Run],
    corpus: Bunch,
    protocol: Protocol,
    *,
    n_jobs: int | None,
    n_threads: int | None,
    verbose: int,
    keep_going: bool,
) -> list[FailedFold]:
    """Run the trainings that are left, those of all models side by side.

    Parameters
    ----------
    runs : sequence of Run
        The runs; their `finished` grow.
    corpus : Bunch
        The corpus.
    protocol : Protocol
        The protocol.
    n_jobs, n_threads, verbose : int or None
        As in `evaluate`.
    keep_going : bool
        Whether a training that fails leaves the others alone.

    Returns
    -------
    failed : list of FailedFold
        Those that failed; a warning has told of each.

    Raises
    ------
    EvaluationError
        If a process is killed, or the cluster's scheduler is lost.
    """
    owners = [(run, job) for run in runs for job in run.todo]
    tasks = [Task(run.model, job) for run, job in owners]
    for run in runs:
        if run.store:
            run.store.start()
    n_all = sum(len(run.jobs) for run in runs)
    labels = [_label(run, job) for run, job in owners]
    failed = []
    with FoldBar(n_all, n_all - len(tasks), labels) if verbose else nullcontext() as bar:
        results = run_tasks(
            tasks,
            corpus,
            caveat=protocol.caveat,
            n_jobs=n_jobs,
            n_threads=n_threads,
            keep_going=keep_going,
            listener=bar.show_epoch if bar else None,
        )
        for index, result in results:
            run, job = owners[index]
            if isinstance(result, Failure):
                failed.append(FailedFold(run, job, result))
                warnings.warn(
                    f"The {failed[-1]} failed; the others go on. {result.reason}",
                    FailedFoldWarning,
                    stacklevel=3,
                )
            else:
                if run.store:
                    run.store.write(job.key, result)
                run.finished[job.key] = result
            if bar:
                bar.end_fold(index, failed=isinstance(result, Failure))
    return failed


def _label(run: Run, job: Job) -> str:
    return f"{run.name}, fold {job.fold.name}" if run.name else f"fold {job.fold.name}"


def describe_run(
    model: BaseEstimator,
    corpus: Bunch,
    protocol: Protocol,
    *,
    seeds: list[int],
    n_jobs: int | None,
    n_threads: int | None,
    call: str,
) -> dict[str, Any]:
    """Describe what a run is made with.

    Parameters
    ----------
    model : estimator
        The model.
    corpus : Bunch
        The corpus, with `content`.
    protocol : Protocol
        The protocol.
    seeds : list of int
        The seeds.
    n_jobs, n_threads : int or None
        As in `evaluate`.
    call : str
        The call of Python that started it.

    Returns
    -------
    settings : dict
        Plain JSON.
    """
    return {
        "corpus": describe_corpus(corpus, *_held_out(corpus, protocol)),
        "protocol": _describe_protocol(protocol),
        "epoch": _describe_epoch(model, protocol),
        "seeds": seeds,
        "model": describe_model(model),
        "versions": describe_versions(*_needed_packages(model)),
        "keras_backend": describe_backend() if holds_network(model) else None,
        "command": describe_command(call),
        "processors": describe_processors(n_jobs, n_threads),
    }


def _needed_packages(model: BaseEstimator) -> list[str]:
    """Name the optional packages that the features of a model are computed by."""
    needed = any(isinstance(part, FunctionalsTransformer) for part in parts_of(model))
    return ["opensmile"] if needed else []


def _describe_protocol(protocol: Protocol) -> dict[str, Any]:
    description = protocol.describe()
    parameters = {name: as_json(value) for name, value in description["parameters"].items()}
    return {**description, "parameters": parameters}


def _held_out(corpus: Bunch, protocol: Protocol) -> list[NDArray[np.str_]]:
    return [corpus_column(corpus, column) for column in protocol.columns if column != "speaker"]


def _describe_epoch(model: BaseEstimator, protocol: Protocol) -> str | None:
    if (network := find_network(model)) is None:
        return "as the model sets it, by training data alone" if holds_network(model) else None
    if protocol.caveat:
        return f"the last of {network.epochs} with the best accuracy on the test fold"
    if network.epoch_selection == "inner":
        return (
            f"the last of {network.epochs} with the best UAR on training speakers set aside "
            f"({network.validation_fraction:.0%} of them, who are not trained on)"
        )
    return f"the last of {network.epochs}, fixed before the run"
