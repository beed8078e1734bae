"""The figures of reproduced experiments as files: one row a figure, with what it was made with."""

import csv
import os
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ._files import replaced_file, write_json
from ._paper import Scores
from ._paths import PATHS
from .reproduce import PROTOCOLS, Cell, Runs, decompose, percent, protocols_of


def write_runs(out: str | os.PathLike, name: str, runs: Runs) -> None:
    """Write `<name>.csv` and `<name>.json`: one row a figure, with what it was made with.

    Parameters
    ----------
    out : path-like
        The folder, created when it is missing.
    name : str
        Name of the files.
    runs : dict
        What `load_runs` returned.
    """
    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    rows = [row for cell in runs for row in _rows(cell, runs[cell], protocols_of(runs))]
    content = {
        "rows": rows,
        "decomposition": [
            {"experiment": cell.name, "note": _note(run), **_plain(parts)}
            for cell, run in runs.items()
            if (parts := decompose(run))
        ],
        "settings": {
            f"{cell.name}/{protocol}": evaluation.settings
            for cell, run in runs.items()
            for protocol, evaluation in run.items()
        },
    }
    write_json(folder / f"{name}.json", content)
    columns = dict.fromkeys(key for row in rows for key in row)
    with (
        replaced_file(folder / f"{name}.csv") as path,
        path.open("w", newline="", encoding="utf-8") as file,
    ):
        writer = csv.DictWriter(file, list(columns))
        writer.writeheader()
        writer.writerows(rows)


def _rows(cell: Cell, run: Mapping[str, Any], protocols: list[str]) -> list[dict[str, Any]]:
    known = {"experiment": cell.name, **asdict(cell), "paths": "+".join(cell.paths or PATHS)}
    rows = []
    if cell.paper:
        rows.append({**known, "source": "paper", "note": "as published", **cell.paper._asdict()})
    for protocol in protocols:
        row: dict[str, Any] = {**known, "source": protocol}
        if protocol in run:
            row |= _figures(run[protocol])
        else:
            row["note"] = "not run"
        rows.append(row)
    return rows


def _figures(evaluation: Any) -> dict[str, Any]:
    """Return the scores of a run in %, with intervals, and the settings that matter most."""
    figures: dict[str, Any] = {"note": evaluation.caveat, **percent(evaluation.pooled)._asdict()}
    for name in Scores._fields:
        low, high = evaluation.intervals[name]
        figures |= {f"{name}_low": 100 * low, f"{name}_high": 100 * high}
    for alternative, scores in evaluation.alternatives.iterrows():
        values = percent(scores)._asdict()
        figures |= {f"{name}_{alternative}": value for name, value in values.items()}
    if len(evaluation.settings["seeds"]) > 1:
        figures |= {f"{name}_sd_of_seeds": 100 * evaluation.spread[name] for name in Scores._fields}
    return figures | describe_run(evaluation)


def describe_run(evaluation: Any) -> dict[str, Any]:
    """Name the settings of a run that tables 1 to 4 leave open.

    Parameters
    ----------
    evaluation : Evaluation
        The run.

    Returns
    -------
    settings : dict
        Number of epochs, initial learning rate, batch size, precision, seeds, and number of
        utterances, which is smaller if the corpus was incomplete.
    """
    model = evaluation.settings["model"]
    wanted = "epochs", "learning_rate", "batch_size", "precision"
    seeds = " ".join(map(str, evaluation.settings["seeds"]))
    n_utterances = evaluation.settings["corpus"]["n_utterances"]
    known = {name: model[key] for name in wanted if (key := f"classifier__{name}") in model}
    return {**known, "seeds": seeds, "utterances": n_utterances}


def _note(run: Mapping[str, Any]) -> str:
    return run[PROTOCOLS[0]].caveat


def _plain(parts: Mapping[str, Scores]) -> dict[str, dict[str, float | None]]:
    return {name: scores._asdict() for name, scores in parts.items()}
