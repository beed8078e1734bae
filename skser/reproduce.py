"""Runs the experiments of the paper, each under several protocols, and keeps them in one folder.

`skser reproduce` is made of this module. The paper's figures are in `_paper`, the tables that are
printed in `_reproduce_tables`.
"""

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ._paper import PATHS_GAIN, TABLE_1, Scores
from ._paths import PATHS

PROTOCOLS = ("published", "leave-one-speaker-out")
"""The protocol of the paper's figures, and the one that the paper describes."""


_CORPORA = {"emodb": "EMO-DB", "iemocap": "IEMOCAP"}
_SUBSETS = {"": "", "improvised": " (improvised)", "all": " (scripted+improvised)"}
_LOSSES = {"cross_entropy": "cross-entropy", "focal": "focal"}


@dataclass(frozen=True)
class Cell:
    """One experiment of the paper, whatever its protocol.

    Attributes
    ----------
    corpus : {"emodb", "iemocap"}
        Name of the corpus.
    subset : {"", "improvised", "all"}
        Subset of IEMOCAP.
    loss : {"cross_entropy", "focal"}
        Loss function.
    duration : float
        Length of every utterance, in s.
    paths : tuple of str
        Paths of Body I; empty for all three.
    """

    corpus: str
    subset: str
    loss: str
    duration: float
    paths: tuple[str, ...] = ()

    @property
    def name(self) -> str:  # numpydoc ignore=RT01
        """Name of the experiment's folder."""
        parts = self.corpus, self.subset, self.loss, f"{self.duration:g}s", *self.paths
        return "-".join(part for part in parts if part)

    def __str__(self) -> str:
        corpus = _CORPORA[self.corpus] + _SUBSETS[self.subset]
        parts = corpus, _LOSSES[self.loss], f"{self.duration:g} s", *self.paths
        return ", ".join(parts)

    @property
    def paper(self) -> Scores | None:  # numpydoc ignore=RT01
        """The paper's figure in table 1, in %."""
        if self.paths:
            return None
        return TABLE_1.get((self.corpus, self.subset, self.loss, self.duration))


TABLE_1_CELLS = tuple(Cell(*key) for key in TABLE_1)
"""The experiments of table 1."""

# By experiment, then by protocol; each value is an Evaluation.
Runs = dict[Cell, dict[str, Any]]


def ablation_cells(corpus: str, duration: float) -> tuple[Cell, ...]:
    """Name the experiments on the parallel paths: all three, then each alone.

    Parameters
    ----------
    corpus : {"emodb", "iemocap"}
        Name of the corpus; of IEMOCAP the paper takes all dialogs.
    duration : float
        Length of every utterance, in s.

    Returns
    -------
    cells : tuple of Cell
        Each has the same number of filters and the cross-entropy loss. The first one is also an
        experiment of table 1.
    """
    subset = next(subset for name, subset in PATHS_GAIN if name == corpus)
    alone: list[tuple[str, ...]] = [(path,) for path in PATHS]
    return tuple(Cell(corpus, subset, "cross_entropy", duration, paths) for paths in [(), *alone])


def run_cells(
    cells: Iterable[Cell],
    roots: Mapping[str, str | os.PathLike],
    out: str | os.PathLike,
    *,
    protocols: Iterable[str] = PROTOCOLS,
    recipe: str = "paper",
    epochs: int | None = None,
    precision: str = "float32",
    seeds: tuple[int, ...] = (0,),
    n_jobs: int | None = None,
    n_threads: int | None = None,
    announce: Callable[[str], object] | None = None,
) -> None:
    """Run experiments, each under each protocol, or go on with them.

    Parameters
    ----------
    cells : iterable of Cell
        The experiments.
    roots : mapping of str to path-like
        The folder of each corpus' release, by its name.
    out : path-like
        Each run is kept in its folder `<experiment>/<protocol>`; whatever is finished there is
        not run again.
    protocols : iterable of str
        Names of protocols.
    recipe : {"paper", "robust", "short"}, default="paper"
        How the network is trained.
    epochs : int or None, default=None
        Number of epochs in place of the recipe's.
    precision : {"float32", "bfloat16"}, default="float32"
        What training computes with.
    seeds : tuple of int, default=(0,)
        Seeds of the network; every protocol is run with each.
    n_jobs, n_threads : int or None, default=None
        As in `evaluate`.
    announce : callable or None, default=None
        Is told each run before it starts, and turns the progress bars on.
    """
    from .evaluation import evaluate
    from .pipeline import make_light_sernet
    from .protocols import get_protocol

    run: dict[str, Any] = {
        "resume": True,
        "seeds": seeds,
        "n_jobs": n_jobs,
        "n_threads": n_threads,
        "verbose": int(announce is not None),
    }
    corpora: dict[tuple[str, str], Any] = {}
    for cell in cells:
        key = cell.corpus, cell.subset
        if key not in corpora:
            corpora[key] = load_corpus(*key, roots[cell.corpus])
        params: dict[str, Any] = {
            "loss": cell.loss,
            "paths": cell.paths or tuple(PATHS),
            "precision": precision,
        }
        if epochs is not None:
            params["epochs"] = epochs
        params |= {"recipe": recipe, "duration": cell.duration, "random_state": seeds[0]}
        for protocol in protocols:
            model = make_light_sernet(**params, speaker_adaptation=get_protocol(protocol).adapts)
            if announce:
                announce(f"{cell}: {protocol}")
            run |= {"protocol": protocol, "out": Path(out) / cell.name / protocol}
            evaluate(model, corpora[key], **run)


def load_corpus(name: str, subset: str, root: str | os.PathLike) -> Any:
    """Read a corpus of the paper.

    Parameters
    ----------
    name : {"emodb", "iemocap"}
        Name of the corpus.
    subset : {"", "improvised", "all"}
        Subset of IEMOCAP.
    root : path-like
        The folder of its release.

    Returns
    -------
    corpus : Bunch
        The corpus.
    """
    from . import datasets

    if name == "emodb":
        return datasets.load_emodb(root)
    return datasets.load_iemocap(root, subset=subset)


def load_runs(out: str | os.PathLike, cells: Iterable[Cell]) -> Runs:
    """Read the finished runs of experiments.

    Parameters
    ----------
    out : path-like
        What `run_cells` wrote to.
    cells : iterable of Cell
        The experiments.

    Returns
    -------
    runs : dict of Cell to (dict of str to Evaluation)
        By experiment, then by protocol. What was not run, or not to its end, is missing.
    """
    from . import Evaluation

    runs: Runs = {}
    for cell in cells:
        folders = sorted(path.parent for path in Path(out, cell.name).glob("*/predictions.csv"))
        runs[cell] = {folder.name: Evaluation.load(folder) for folder in folders}
    return runs


def protocols_of(runs: Runs) -> list[str]:
    """Name the protocols of runs, the usual ones first, even if no run has them.

    Parameters
    ----------
    runs : dict
        What `load_runs` returned.

    Returns
    -------
    protocols : list of str
        Their names.
    """
    found = {protocol for by_protocol in runs.values() for protocol in by_protocol}
    return [*PROTOCOLS, *sorted(found - {*PROTOCOLS})]


def decompose(run: Mapping[str, Any]) -> dict[str, Scores] | None:
    """Take the figure under the published protocol apart.

    Parameters
    ----------
    run : mapping of str to Evaluation
        The runs of one experiment, by protocol.

    Returns
    -------
    parts : dict of str to Scores, or None
        In %: `"honest"`, the score on unseen speakers; then what is added to it, in points:
        `"speakers"` by folds that mix speakers, `"epoch"` by choosing the epoch on the test fold;
        and their sum, `"published"`. None if one of the two runs is missing, or they were made
        with different settings.
    """
    if not run.keys() >= {*PROTOCOLS}:
        return None
    published, honest = (run[protocol] for protocol in PROTOCOLS)
    if not made_alike(published, honest):
        return None
    middle = percent(published.alternatives.loc["last_epoch"])
    return {
        "honest": percent(honest.pooled),
        "speakers": subtract(middle, percent(honest.pooled)),
        "epoch": subtract(percent(published.pooled), middle),
        "published": percent(published.pooled),
    }


def made_alike(first: Any, second: Any, *, but: tuple[str, ...] = ()) -> bool:
    """Tell whether two runs differ in nothing but their protocol.

    Parameters
    ----------
    first, second : Evaluation
        The runs.
    but : tuple of str, default=()
        Parameters of the model that may differ.

    Returns
    -------
    alike : bool
        Whether the corpus, the model, the seeds and the backend are the same.
    """
    known = []
    for settings in (first.settings, second.settings):
        model = {name: v for name, v in settings["model"].items() if name not in but}
        corpus = settings["corpus"]["fingerprint"]
        known.append((model, corpus, settings["seeds"], settings["keras_backend"]))
    return known[0] == known[1]


def percent(scores: Mapping[str, float]) -> Scores:
    """Take the paper's three scores, in %.

    Parameters
    ----------
    scores : mapping of str to float
        Scores as shares.

    Returns
    -------
    scores : Scores
        In %.
    """
    return Scores(*(100 * float(scores[name]) for name in Scores._fields))


def subtract(left: Scores, right: Scores) -> Scores:
    """Subtract scores from scores.

    Parameters
    ----------
    left, right : Scores
        Scores that are all known.

    Returns
    -------
    difference : Scores
        In points.
    """
    return Scores(*(a - b for a, b in zip(left, right, strict=True)))  # type: ignore[operator]
