"""`skser reproduce`: the paper's experiments, each command a thin call of `reproduce`."""

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ._options import (
    EpochsOption,
    JobsOption,
    Loss,
    Precision,
    PrecisionOption,
    ProtocolName,
    Recipe,
    RecipeOption,
    SeedsOption,
    Subset,
    ThreadsOption,
    messages,
    split_list,
    split_seeds,
    start_keras,
)

if TYPE_CHECKING:
    from .reproduce import Cell

app = typer.Typer(
    help="Run the experiments of the paper, and print its tables beside what they give.",
    no_args_is_help=True,
    rich_markup_mode="rich",
)


class PaperCorpus(StrEnum):
    """The corpora of the paper."""

    emodb = "emodb"
    iemocap = "iemocap"


_FOLDER = Path("skser-reproduction")
_EXPERIMENTS, _RUN = "Experiments", "Run"
CorporaOption = Annotated[
    list[PaperCorpus] | None,
    typer.Option(
        "--corpus", help="Run its experiments; may be repeated.", rich_help_panel=_EXPERIMENTS
    ),
]
RootsOption = Annotated[
    list[Path] | None,
    typer.Option(
        "--root",
        help="Folder of the corpus' release; one for each --corpus, in the same order.",
        rich_help_panel=_EXPERIMENTS,
    ),
]
LossesOption = Annotated[str, typer.Option("--loss", rich_help_panel=_EXPERIMENTS)]
DurationsOption = Annotated[
    str, typer.Option("--duration", help="In s.", rich_help_panel=_EXPERIMENTS)
]
SubsetsOption = Annotated[
    str, typer.Option("--subset", help="Subsets of IEMOCAP.", rich_help_panel=_EXPERIMENTS)
]
ProtocolsOption = Annotated[
    str, typer.Option("--protocols", help="Who is held out.", rich_help_panel=_EXPERIMENTS)
]
OutOption = Annotated[
    Path,
    typer.Option("--out", help="Folder of all runs; finished ones stay.", rich_help_panel=_RUN),
]
RunsArgument = Annotated[Path, typer.Argument(metavar="FOLDER", help="Folder of table1's runs.")]
ClassesOption = Annotated[
    int, typer.Option("--classes", min=2, help="Number of emotions: 7 in EMO-DB, 4 in IEMOCAP.")
]


@app.command()
def table1(
    corpus: CorporaOption = None,
    root: RootsOption = None,
    loss: LossesOption = "cross_entropy,focal",
    duration: DurationsOption = "3,7",
    subset: SubsetsOption = "improvised,all",
    protocols: ProtocolsOption = "published,leave-one-speaker-out",
    recipe: RecipeOption = Recipe.paper,
    epochs: EpochsOption = None,
    precision: PrecisionOption = Precision.float32,
    seeds: SeedsOption = "0",
    out: OutOption = _FOLDER,
    jobs: JobsOption = 1,
    threads: ThreadsOption = None,
) -> None:
    """Train each loss and length on each corpus, and print table 1 of all finished runs.

    Each run is kept in --out at once, fold by fold; the same command goes on with what is left.
    Without --corpus nothing is run. The figures are also written to table1.csv and table1.json.

    [b]Examples[/b]

      skser reproduce table1 --corpus emodb --root path/to/emodb

      skser reproduce table1 --corpus iemocap --root path/to/iemocap --loss focal --duration 7

      skser reproduce table1
    """
    from . import _reproduce_files, _reproduce_tables, reproduce

    losses = split_list(loss, "--loss", [*Loss])
    durations = split_list(duration, "--duration", ["3", "7"])
    subsets = split_list(subset, "--subset", [Subset.improvised, Subset.all])
    roots = _pair(corpus or [], root or [])
    cells = [
        cell
        for cell in reproduce.TABLE_1_CELLS
        if cell.corpus in roots
        and cell.loss in losses
        and f"{cell.duration:g}" in durations
        and (not cell.subset or cell.subset in subsets)
    ]
    if roots and not cells:
        raise typer.BadParameter(
            "Table 1 has no experiment with these options: EMO-DB is heard for 3 s only.",
            param_hint="--corpus, --duration",
        )
    _run(cells, roots, protocols, recipe, epochs, precision, seeds, out, jobs, threads)
    runs = reproduce.load_runs(out, reproduce.TABLE_1_CELLS)
    _reproduce_files.write_runs(out, "table1", runs)
    print(_reproduce_tables.table_1(runs))


@app.command()
def ablation(
    corpus: CorporaOption = None,
    root: RootsOption = None,
    duration: DurationsOption = "3",
    protocols: ProtocolsOption = "published,leave-one-speaker-out",
    recipe: RecipeOption = Recipe.paper,
    epochs: EpochsOption = None,
    precision: PrecisionOption = Precision.float32,
    seeds: SeedsOption = "0",
    out: OutOption = _FOLDER,
    jobs: JobsOption = 1,
    threads: ThreadsOption = None,
) -> None:
    """Train all three parallel paths and each alone, with the same number of filters.

    The runs with all three are those of table1. Without --corpus nothing is run. The figures are
    also written to ablation.csv and ablation.json.

    [b]Example[/b]

      skser reproduce ablation --corpus emodb --root path/to/emodb
    """
    from . import _reproduce_files, _reproduce_tables, reproduce

    roots = _pair(corpus or [], root or [])
    durations = split_list(duration, "--duration", ["3", "7"])
    groups = [
        reproduce.ablation_cells(name.value, seconds)
        for name in PaperCorpus
        for seconds in map(float, durations)
    ]
    cells = [cell for group in groups for cell in group if cell.corpus in roots]
    _run(cells, roots, protocols, recipe, epochs, precision, seeds, out, jobs, threads)
    runs = [reproduce.load_runs(out, group) for group in groups]
    together = {cell: run for group in runs for cell, run in group.items()}
    _reproduce_files.write_runs(out, "ablation", together)
    print("\n\n\n".join(map(_reproduce_tables.ablation, runs)))


@app.command()
def compute(classes: ClassesOption = 7) -> None:
    """Count parameters, operations and memory of an utterance of 3 and of 7 s."""
    start_keras()
    from . import _reproduce_tables
    from ._cost import measure_cost

    costs = {duration: measure_cost(classes, duration) for duration in (3.0, 7.0)}
    print(_reproduce_tables.cost(costs))


@app.command()
def table2(folder: RunsArgument = _FOLDER) -> None:
    """Print table 2, IEMOCAP (scripted+improvised), with the figures of table1's runs."""
    _print_methods(2, folder)


@app.command()
def table3(folder: RunsArgument = _FOLDER) -> None:
    """Print table 3, IEMOCAP (improvised), with the figures of table1's runs."""
    _print_methods(3, folder)


@app.command()
def table4(folder: RunsArgument = _FOLDER) -> None:
    """Print table 4, EMO-DB, with the figures of table1's runs."""
    _print_methods(4, folder)


def _print_methods(table: int, folder: Path) -> None:
    from . import _reproduce_tables, reproduce

    cell = _reproduce_tables.cell_of(table)
    run = reproduce.load_runs(folder, [cell])[cell]
    print(_reproduce_tables.methods(table, run, _size(run) if run else None))
    if not run:
        subset = f" --subset {cell.subset}" if cell.subset else ""
        print(
            f"\nTo run it: skser reproduce table1 --corpus {cell.corpus} --root FOLDER{subset} "
            f"--loss {cell.loss} --duration {cell.duration:g} --out {folder}"
        )


def _size(run: dict) -> float:
    """Return the size of the network that was run; all protocols have the same."""
    return next(iter(run.values())).float16["float16_mebibytes"]


def _pair(corpora: list[PaperCorpus], roots: list[Path]) -> dict[str, Path]:
    if len(corpora) != len(roots) or len({*corpora}) != len(corpora):
        raise typer.BadParameter(
            "Each --corpus needs one --root, in the same order.", param_hint="--corpus, --root"
        )
    return {corpus.value: root for corpus, root in zip(corpora, roots, strict=True)}


def _run(
    cells: "Sequence[Cell]",
    roots: dict[str, Path],
    protocols: str,
    recipe: Recipe,
    epochs: int | None,
    precision: Precision,
    seeds: str,
    out: Path,
    jobs: int,
    threads: int | None,
) -> None:
    from . import reproduce

    names = split_list(protocols, "--protocols", [*ProtocolName])
    runs = split_seeds(seeds)
    if not cells:
        return
    start_keras(threads)
    reproduce.run_cells(
        cells,
        roots,
        out,
        protocols=names,
        recipe=recipe.value,
        epochs=epochs,
        precision=precision.value,
        seeds=runs,
        n_jobs=jobs,
        n_threads=threads,
        announce=lambda text: messages.print(text, highlight=False, markup=False),
    )
