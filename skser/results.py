"""What an evaluation gave: predictions, their scores, and the card that says how they were got."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ._files import read_json, replaced_file, write_json
from ._store import check_folder
from .exceptions import EvaluationError
from .metrics import FEW_SPEAKERS, SCORE_NAMES, bootstrap_intervals, score_predictions

_UTTERANCE = ["file", "speaker", "label"]
_WHOLE = ("seed", "n_train", "n_test", "epoch", "n_parameters")
_TOLD_PARAMS = (
    "mfcc__duration",
    "mfcc__n_mfcc",
    "classifier__loss",
    "classifier__epochs",
    "classifier__learning_rate",
    "classifier__precision",
    "classifier__augment",
    "classifier__C",
)
_ALTERNATIVES = {"float16": "float16 weights", "last_epoch": "last epoch"}


@dataclass(frozen=True, eq=False)
class Evaluation:
    """What a model gave under a protocol.

    Attributes
    ----------
    predictions : DataFrame
        One row an utterance and seed, in the corpus' order: `seed`, `fold`, `file`, `speaker`,
        `label`, `prediction`; for the network also `prediction_float16`, from weights rounded to
        float16; under the protocol "published" also `prediction_last_epoch` and `caveat`; and, if
        the model gives them, a column `p_<emotion>` with the probability of each emotion (0 for
        one that the fold's training data lack).
    folds : DataFrame
        One row a fold and seed: `seed`, `fold`, `caveat` under "published", `n_train`, `n_test`,
        `seconds` (s), of a search `best_params` and, for the network, `epoch` (whose weights were
        kept; the first is 1) and `n_parameters`.
    settings : dict
        Corpus, protocol, model, seeds, versions, backend and command; plain JSON.

    See Also
    --------
    evaluate : Makes one.
    compare : Tests two of them against each other.
    """

    predictions: pd.DataFrame
    folds: pd.DataFrame
    settings: dict[str, Any]

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Evaluation)
            and self.predictions.equals(other.predictions)
            and self.folds.equals(other.folds)
            and self.settings == other.settings
        )

    # To their users the properties are attributes, so they have no Returns section.

    @property
    def seeds(self) -> list[int]:  # numpydoc ignore=RT01
        """The seeds that the model was trained with."""
        return list(self.settings["seeds"])

    @property
    def caveat(self) -> str:  # numpydoc ignore=RT01
        """What must be said with every score; empty if the test data were unknown."""
        return self.settings["protocol"].get("caveat", "")

    @property
    def utterances(self) -> pd.DataFrame:  # numpydoc ignore=RT01
        """One row an utterance: `file`, `speaker` and `label`."""
        first = self.predictions["seed"] == self.seeds[0]
        return self.predictions.loc[first, _UTTERANCE].reset_index(drop=True)

    def runs(self, column: str = "prediction") -> NDArray:
        """Return the predictions of each seed beside each other.

        Parameters
        ----------
        column : str, default="prediction"
            Column of `predictions`.

        Returns
        -------
        runs : ndarray of str of shape (n_utterances, n_seeds)
            In the order of `utterances` and `seeds`.
        """
        # Each seed has the same utterances in the same order.
        return self.predictions[column].to_numpy(dtype=np.str_).reshape(len(self.seeds), -1).T

    @property
    def per_seed(self) -> pd.DataFrame:  # numpydoc ignore=RT01
        """Pooled scores of each seed: one row a seed."""
        return self._score_runs("prediction").set_axis(self.seeds).rename_axis("seed")

    @property
    def pooled(self) -> dict[str, float]:  # numpydoc ignore=RT01
        """Score of all utterances together, whichever fold predicted them; mean over seeds."""
        return {name: float(self.per_seed[name].mean()) for name in SCORE_NAMES}

    @property
    def spread(self) -> dict[str, float]:  # numpydoc ignore=RT01
        """Standard deviation of the pooled scores over seeds; nan if there is only one."""
        return {name: float(self.per_seed[name].std()) for name in SCORE_NAMES}

    @property
    def intervals(self) -> dict[str, tuple[float, float]]:  # numpydoc ignore=RT01
        """95 % confidence intervals of the pooled scores, by a bootstrap over speakers."""
        table = self.utterances
        return bootstrap_intervals(table["label"], self.runs(), table["speaker"])

    @property
    def per_speaker(self) -> pd.DataFrame:  # numpydoc ignore=RT01
        """Score of each speaker by itself, mean over seeds, with its number of utterances."""
        speakers = self.utterances["speaker"].to_numpy()
        rows = {}
        for speaker in np.unique(speakers):
            own = np.flatnonzero(speakers == speaker)
            scores = self._score_runs("prediction", own).mean()
            rows[speaker] = {"n_utterances": len(own), **scores}
        table = pd.DataFrame.from_dict(rows, orient="index").rename_axis("speaker")
        return table.astype({"n_utterances": int})

    @property
    def mean_over_speakers(self) -> dict[str, float]:  # numpydoc ignore=RT01
        """Mean of the speakers' scores: another number than the pooled one."""
        table = self.per_speaker
        return {score: float(table[score].mean()) for score in SCORE_NAMES}

    @property
    def alternatives(self) -> pd.DataFrame:  # numpydoc ignore=RT01
        """Pooled scores of other predictions of the same networks, mean over seeds.

        "float16": from weights rounded to float16, at half the size. "last_epoch", under the
        protocol "published" only: from the last epoch, on the same folds of mixed speakers.
        """
        rows = {
            name: self._score_runs(f"prediction_{name}").mean()
            for name in _ALTERNATIVES
            if f"prediction_{name}" in self.predictions
        }
        return pd.DataFrame.from_dict(rows, orient="index", columns=list(SCORE_NAMES))

    @property
    def float16(self) -> dict[str, float] | None:  # numpydoc ignore=RT01
        """Size in float32 and float16, in MiB, and what float16 adds to the UAR.

        None for a model that is no network.
        """
        if "float16" not in self.alternatives.index:
            return None
        n_parameters = int(self.folds["n_parameters"].max())
        return {
            "float32_mebibytes": 4 * n_parameters / 2**20,
            "float16_mebibytes": 2 * n_parameters / 2**20,
            "uar_difference": float(self._score_runs("prediction_float16")["uar"].mean())
            - self.pooled["uar"],
        }

    @property
    def confusion(self) -> pd.DataFrame:  # numpydoc ignore=RT01
        """Pooled confusion matrix: rows are labels, columns predictions, counts of all seeds."""
        emotions = self.settings["corpus"]["emotions"]
        counts = pd.crosstab(self.predictions["label"], self.predictions["prediction"])
        return counts.reindex(index=emotions, columns=emotions, fill_value=0)

    def save(self, folder: str | os.PathLike) -> None:
        """Write `predictions.csv`, `folds.csv`, `confusion.csv`, `scores.json`, `settings.json`.

        Parameters
        ----------
        folder : path-like
            Created when it is missing.

        Raises
        ------
        EvaluationError
            If it holds files of something else.
        """
        check_folder(folder)
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        self.folds.to_csv(folder / "folds.csv", index=False)
        corner = f"label \\ prediction{f' ({self.caveat})' if self.caveat else ''}"
        self.confusion.rename_axis(corner).to_csv(folder / "confusion.csv")
        write_json(folder / "settings.json", self.settings)
        write_json(folder / "scores.json", self.summarize())
        # The last one: where it is, `load` takes the evaluation for finished.
        with replaced_file(folder / "predictions.csv") as path:
            self.predictions.to_csv(path, index=False)

    def summarize(self) -> dict[str, Any]:
        """Return all scores with what they mean, as plain JSON.

        Returns
        -------
        summary : dict
            Protocol, pooled scores, their intervals (None with one speaker) and spread (if there
            are several seeds), per seed and speaker.
        """
        protocol = self.settings["protocol"]
        intervals = self.intervals if self.utterances["speaker"].nunique() > 1 else None
        return {
            "protocol": protocol["name"],
            "unseen": protocol["sentence"],
            **({"caveat": self.caveat} if self.caveat else {}),
            "pooled": self.pooled,
            "pooled_95_percent_interval": intervals,
            **({"spread": self.spread} if len(self.seeds) > 1 else {}),
            "alternatives": self.alternatives.to_dict(orient="index"),
            "float16": self.float16,
            "per_seed": {str(seed): dict(row) for seed, row in self.per_seed.iterrows()},
            "mean_over_speakers": self.mean_over_speakers,
            "per_speaker": self.per_speaker.to_dict(orient="index"),
        }

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
            Equal to the one that was saved.

        Raises
        ------
        EvaluationError
            If the folder holds no finished evaluation, or one that this version cannot read.
        """
        folder = Path(folder)
        if not (folder / "predictions.csv").exists():
            raise EvaluationError(f"The folder '{folder}' holds no finished evaluation.")
        predictions, folds = (
            pd.read_csv(folder / name, dtype=str, keep_default_na=False)  # "NA" may be a label
            for name in ("predictions.csv", "folds.csv")
        )
        if not {"seed", *_UTTERANCE, "prediction"} <= {*predictions} or "seed" not in folds:
            raise EvaluationError(
                f"The folder '{folder}' holds no evaluation that this version of skser can read: "
                "its tables lack columns; evaluate again."
            )
        probabilities = [name for name in map(str, predictions) if name.startswith("p_")]
        predictions = predictions.astype({"seed": int, **dict.fromkeys(probabilities, float)})
        whole = [name for name in map(str, folds) if name in _WHOLE]
        folds = folds.astype({"seconds": float, **dict.fromkeys(whole, int)})
        return cls(predictions, folds, read_json(folder / "settings.json"))

    @property
    def card(self) -> str:  # numpydoc ignore=RT01
        """Protocol card: what was tested, how, and with what, in some lines."""
        return make_card(self.settings, self.folds["fold"].nunique())

    def __str__(self) -> str:
        n = len(self.utterances)
        lines = [
            self.card,
            "",
            f"{'in %':<20}{'n':>5}" + "".join(f"{name:>13}" for name in SCORE_NAMES.values()),
        ]
        for speaker, row in self.per_speaker.iterrows():
            lines.append(_score_line(f"speaker {speaker}", int(row["n_utterances"]), dict(row)))
        lines.append(_score_line("mean over speakers", n, self.mean_over_speakers))
        lines.append(_score_line("pooled", n, self.pooled))
        if (n_seeds := len(self.seeds)) > 1:
            ends = "".join(f"{f'±{100 * value:.2f}':>13}" for value in self.spread.values())
            lines.append(f"{f'spread, {n_seeds} seeds':<25}{ends}")
        ends = "".join(
            f"{f'{100 * low:.1f}-{100 * high:.1f}':>13}" for low, high in self.intervals.values()
        )
        lines.append(f"{'95 % interval':<25}{ends}")
        if 1 < (n_speakers := self.utterances["speaker"].nunique()) <= FEW_SPEAKERS:
            lines.append(f"{'':<20}(with {n_speakers} speakers the interval is too narrow)")
        if n_seeds > 1:
            lines.append(f"{'':<20}(all scores are means over {n_seeds} seeds)")
        if self.caveat:
            lines.append(f"{'':<20}(each of these scores {self.caveat})")
        for name, row in self.alternatives.iterrows():
            lines.append(_score_line(_ALTERNATIVES[str(name)], n, dict(row)))
        if float16 := self.float16:
            lines.append(
                f"In float16 the network takes {float16['float16_mebibytes']:.3f} MiB instead of "
                f"{float16['float32_mebibytes']:.3f}; its UAR differs by "
                f"{100 * float16['uar_difference']:+.2f} points."
            )
        return "\n".join(lines)

    def _score_runs(self, column: str, rows: NDArray | slice = slice(None)) -> pd.DataFrame:
        labels = self.utterances["label"].to_numpy()[rows]
        return pd.DataFrame([score_predictions(labels, run) for run in self.runs(column)[rows].T])


def make_card(settings: dict[str, Any], n_folds: int | None) -> str:
    """Say in some lines what was tested, how, and with what.

    Parameters
    ----------
    settings : dict
        Those of an evaluation or of a search.
    n_folds : int or None
        Number of folds; None if it is not known.

    Returns
    -------
    card : str
        One line each for the corpus, the protocol and so on.
    """
    corpus, protocol = settings["corpus"], settings["protocol"]
    backend = settings["keras_backend"]
    versions = {name: number for name, number in settings["versions"].items() if number}
    caveat = f" ({protocol['caveat']})" if protocol.get("caveat") else ""
    lines = {
        "Corpus": f"{corpus['name']}: {corpus['n_utterances']} utterances, "
        f"{len(corpus['speakers'])} speakers, {len(corpus['emotions'])} emotions",
        "Protocol": f"{protocol['name']}{caveat}" + (f", {n_folds} folds" if n_folds else ""),
        "Unseen": protocol["sentence"],
        "Epoch": settings["epoch"] or "",
        "Model": _describe_model(settings["model"]),
        "Search": settings.get("search", ""),
        "Seeds": ", ".join(map(str, settings["seeds"])),
        "Backend": f"keras on {backend}" if backend else "",
        "Versions": ", ".join(f"{name} {number}" for name, number in versions.items()),
        "Command": settings["command"],
    }
    return "\n".join(f"{name}: {text}" for name, text in lines.items() if text)


def _describe_model(model: dict[str, Any]) -> str:
    """Name the steps, and the parameters that are chosen most often."""
    steps = [str(model.get(step, step)) for step in model.get("steps", [])] or [model["class"]]
    known = ", ".join(
        f"{name.split('__')[-1]} {_without_module(value)}"
        for name, value in model.items()
        if name in _TOLD_PARAMS
    )
    names = ", ".join(map(_without_module, steps))
    return f"{names} ({known})" if known else names


def _without_module(value: Any) -> str:
    """Name a class as users import it; anything else as it prints."""
    return value.rsplit(".", 1)[-1] if isinstance(value, str) else str(value)


def _score_line(name: str, n: int, scores: dict) -> str:
    return f"{name:<20}{n:>5}" + "".join(f"{100 * scores[key]:>13.2f}" for key in SCORE_NAMES)
