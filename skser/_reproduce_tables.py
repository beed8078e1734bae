"""The paper's tables as text, its figures beside those of finished runs."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import skser

from ._paper import COST, MEGABYTES, PATHS_GAIN, TABLE_2, TABLE_3, TABLE_4, Method, Scores
from ._paths import PATHS
from ._reproduce_files import describe_run
from ._text import align
from .reproduce import (
    PROTOCOLS,
    Cell,
    Runs,
    decompose,
    made_alike,
    percent,
    protocols_of,
    subtract,
)

_OURS = "LIGHT-SERNET, skser"
_SCORES = {"uar": "UAR", "wa": "WA", "f1_weighted": "F1"}
_METHODS: dict[int, tuple[Cell, Sequence[Method]]] = {
    2: (Cell("iemocap", "all", "focal", 7.0), TABLE_2),
    3: (Cell("iemocap", "improvised", "focal", 7.0), TABLE_3),
    4: (Cell("emodb", "", "cross_entropy", 3.0), TABLE_4),
}
# The names that the paper has figures for are those of its `Cost`.
_COSTS = {
    "parameters": ("parameters", 0),
    "mebibytes": ("size in float16 (MiB)", 3),
    "mflops": ("operations (MFLOP)", 2),
    "kilobytes": ("peak memory, each path pooled, then joined (KiB)", 1),
    "kilobytes_joined_first": ("peak memory, paths joined, then pooled (KiB)", 1),
}


def table_1(runs: Runs) -> str:
    """Write table 1: each experiment in the paper and under each protocol."""
    protocols = protocols_of(runs)
    rows = [
        ["", "", "paper", *protocols],
        ["", "", "", *(_caveats(runs, protocol) for protocol in protocols)],
    ]
    for cell, run in runs.items():
        for name, score in _SCORES.items():
            paper = _number(getattr(cell.paper, name, None))
            ours = [_figure(run.get(protocol), name) for protocol in protocols]
            rows.append([str(cell) if name == "uar" else "", score, paper, *ours])
    parts = [
        "Table 1, pooled scores in % (F1 is weighted), with 95 % intervals over speakers",
        align(rows),
        *_decomposition(runs),
        *_how(runs),
    ]
    return "\n\n".join(parts)


def _decomposition(runs: Runs) -> list[str]:
    known = {cell: parts for cell, run in runs.items() if (parts := decompose(run))}
    unlike = [str(c) for c, run in runs.items() if c not in known and run.keys() >= {*PROTOCOLS}]
    notes = [f"Not taken apart, since the two runs have other settings: {c}" for c in unlike]
    if not known:
        return notes
    published, honest = PROTOCOLS
    rows = [
        ["", "", honest, "+ speakers mixed", "+ epoch chosen on", f"= {published}", "paper"],
        ["", "", "", "across folds", "the test fold", _caveats(runs, published), ""],
    ]
    for cell, parts in known.items():
        for name, score in _SCORES.items():
            values = [
                _number(getattr(scores, name), sign=part in ("speakers", "epoch"))
                for part, scores in parts.items()
            ]
            paper = _number(getattr(cell.paper, name, None))
            rows.append([str(cell) if name == "uar" else "", score, *values, paper])
    return [f"From unseen speakers to the paper's protocol, in points\n\n{align(rows)}", *notes]


def _how(runs: Runs) -> list[str]:
    """Say which settings the runs had: one line for all that have the same."""
    names: dict[str, list[str]] = {}
    for cell, run in runs.items():
        for protocol, evaluation in run.items():
            settings = {name.replace("_", " "): v for name, v in describe_run(evaluation).items()}
            text = ", ".join(f"{name} {value}" for name, value in settings.items())
            names.setdefault(text, []).append(f"  {cell.name}/{protocol}")
    return ["\n".join([f"Runs with {text}:", *which]) for text, which in names.items()]


def ablation(runs: Runs) -> str:
    """Write the experiment on the parallel paths: all three, and each alone."""
    together = next(iter(runs))
    paper = [
        "gain in the paper",
        *_numbers(PATHS_GAIN[together.corpus, together.subset], sign=True),
    ]
    blocks = [f"Three parallel paths against each alone, {together}; in %, gains in points"]
    for protocol in protocols_of(runs):
        rows = [[f"{protocol} {_caveats(runs, protocol)}".strip(), *_SCORES.values()]]
        for cell, run in runs.items():
            scores = percent(run[protocol].pooled) if protocol in run else None
            rows.append([*(cell.paths or ["all three"]), *_numbers(scores)])
        measured = {cell.paths: run[protocol] for cell, run in runs.items() if protocol in run}
        blocks.append(align([*rows, *_gains(measured), paper]))
    return "\n\n".join([*blocks, *_how(runs)])


def _gains(runs: dict[tuple[str, ...], Any]) -> list[list[str]]:
    """Write what all three paths gain over each alone, by a paired test, and on average."""
    together = runs.pop((), None)
    if together is None or not runs:
        return []
    rows = []
    for paths, alone in runs.items():
        if not made_alike(together, alone, but=("classifier__paths",)):
            rows.append([f"gain over {' '.join(paths)}", *["other settings"] * len(_SCORES)])
            continue
        gain = skser.compare(together, alone)
        known = together.caveat or alone.caveat
        figures = [
            _score(gain.differences[name], None if known else gain.intervals[name], sign=True)
            for name in _SCORES
        ]
        rows.append([f"gain over {' '.join(paths)}", *figures])
    alike = [made_alike(together, alone, but=("classifier__paths",)) for alone in runs.values()]
    if len(runs) == len(PATHS) and all(alike):
        pooled = [
            subtract(percent(together.pooled), percent(alone.pooled)) for alone in runs.values()
        ]
        mean = Scores(*(sum(values) / len(PATHS) for values in zip(*pooled, strict=True)))
        rows.append(["mean gain", *_numbers(mean, sign=True)])
    return rows


def cell_of(table: int) -> Cell:
    """Return the experiment whose figures table 2, 3 or 4 compares with other methods'."""
    return _METHODS[table][0]


def methods(table: int, run: Mapping[str, Any], megabytes: float | None) -> str:
    """Write table 2, 3 or 4: other methods' published figures, and ours under each protocol."""
    cell, published = _METHODS[table]
    rows = [["", "size (MB)", *_SCORES.values(), "protocol"]]
    for method in published:
        numbers = [_number(method.megabytes), *_numbers(method.scores)]
        rows.append([method.name, *numbers, "as published"])
    for protocol in protocols_of({cell: dict(run)}):
        if evaluation := run.get(protocol):
            figures = [_figure(evaluation, name) for name in _SCORES]
            known = f"{protocol} {_caveat([evaluation])}".strip()
            rows.append([_OURS, _number(megabytes), *figures, known])
    if not run:
        rows.append([_OURS, *[""] * 4, "not run"])
    title = f"Table {table}, {cell}; in %, ours with 95 % intervals over speakers"
    return "\n\n".join([title, align(rows), *_how({cell: dict(run)})])


def cost(costs: Mapping[float, Mapping[str, float]]) -> str:
    """Write what an utterance costs, for each length in s, beside the paper's figures."""
    rows = [[""], [""]]
    for duration, ours in costs.items():
        rows[0] += [f"{duration:g} s", "paper"]
        rows[1] += [f"{ours['frames']} frames", ""]
    for name, (text, digits) in _COSTS.items():
        row = [text]
        for duration, ours in costs.items():
            row += [f"{ours[name]:.{digits}f}", _paper_cost(name, duration)]
        rows.append(row)
    return align(rows)


def _paper_cost(name: str, duration: float) -> str:
    if name == "mebibytes":
        return str(MEGABYTES)
    return str(getattr(COST.get(duration), name, "-"))


def _caveats(runs: Runs, protocol: str) -> str:
    return _caveat(run[protocol] for run in runs.values() if protocol in run)


def _caveat(evaluations: Iterable[Any]) -> str:
    caveats = {evaluation.caveat for evaluation in evaluations} - {""}
    return f"({', '.join(sorted(caveats))})" if caveats else ""


def _figure(evaluation: Any, name: str) -> str:
    """Write a score; with its interval, unless the score knows what it is tested on."""
    if evaluation is None:
        return "not run"
    interval = None if evaluation.caveat else evaluation.intervals[name]
    return _score(evaluation.pooled[name], interval)


def _score(share: float, interval: tuple[float, float] | None, *, sign: bool = False) -> str:
    text = _number(100 * share, sign=sign)
    if interval is None:
        return text
    low, high = (100 * end for end in interval)
    return f"{text} [{low:.1f}, {high:.1f}]"


def _numbers(scores: Scores | None, *, sign: bool = False) -> list[str]:
    if scores is None:
        return ["not run"] * len(_SCORES)
    return [_number(getattr(scores, name), sign=sign) for name in _SCORES]


def _number(value: float | None, *, sign: bool = False) -> str:
    if value is None:
        return "-"
    return f"{value:+.2f}" if sign else f"{value:.2f}"
