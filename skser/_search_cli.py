"""`skser search`: every combination of parameters, evaluated on the same folds."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ._from_options import load_corpus, make_baseline, make_model, use_cache
from ._options import (
    BaselineOption,
    BatchOption,
    CacheOption,
    CorpusName,
    CorpusOption,
    DownloadOption,
    DurationOption,
    EpochOption,
    EpochSelection,
    EpochsOption,
    JobsOption,
    Loss,
    LossOption,
    PatternOption,
    Precision,
    PrecisionOption,
    ProtocolName,
    ProtocolOption,
    RateOption,
    Recipe,
    RecipeOption,
    ResumeOption,
    RootOption,
    SeedsOption,
    SpeakersOption,
    SubsetOption,
    ThreadsOption,
    UrlOption,
    parse_grid,
    split_seeds,
    start_keras,
)

if TYPE_CHECKING:
    from sklearn.base import BaseEstimator
    from sklearn.utils import Bunch


def search(
    context: typer.Context,
    grid: Annotated[
        str,
        typer.Option(
            "--grid",
            help="Parameters and values, such as "
            "[b]classifier__loss=cross_entropy,focal;mfcc__duration=3,7[/b]. Every combination is "
            "a candidate.",
            rich_help_panel="Search",
        ),
    ],
    corpus: CorpusOption = CorpusName.synthetic,
    root: RootOption = None,
    download: DownloadOption = False,
    url: UrlOption = None,
    speakers: SpeakersOption = None,
    subset: SubsetOption = None,
    pattern: PatternOption = None,
    recipe: RecipeOption = Recipe.robust,
    loss: LossOption = Loss.cross_entropy,
    duration: DurationOption = 3.0,
    epochs: EpochsOption = None,
    learning_rate: RateOption = None,
    batch_size: BatchOption = 32,
    epoch: EpochOption = EpochSelection.last,
    precision: PrecisionOption = Precision.float32,
    baseline: BaselineOption = None,
    protocol: ProtocolOption = ProtocolName.leave_one_speaker_out,
    out: Annotated[Path, typer.Option(help="Folder of the results.", rich_help_panel="Run")] = Path(
        "skser-search"
    ),
    resume: ResumeOption = False,
    jobs: JobsOption = 1,
    threads: ThreadsOption = None,
    seeds: SeedsOption = "0",
    cache: CacheOption = None,
) -> None:
    """Evaluate every combination of parameters, to choose one.

    Every finished fold is written to --out at once, and --resume continues there. The score of
    the best candidate is optimistic, since it was chosen by it.

    [b]Examples[/b]

      skser search --grid "classifier__loss=cross_entropy,focal;mfcc__duration=1,2"

      skser search --baseline mfcc_svc --grid "classifier__C=0.1,1,10" --out svc-search --resume
    """
    values, runs = parse_grid(grid), split_seeds(seeds)
    if baseline:
        model: BaseEstimator = make_baseline(context, baseline, protocol)
    else:
        model = make_model(
            *(recipe, loss, duration, epochs, learning_rate, batch_size, precision, runs[0]),
            *(epoch, protocol),
        )
    use_cache(model, cache)
    check_grid(model, values)  # what is wrong with the grid is said before anything is read
    utterances = load_corpus(corpus, root, download, url, speakers, subset, pattern)
    if not baseline:
        start_keras(threads)
    run = {"resume": resume, "n_jobs": jobs, "n_threads": threads, "seeds": runs}
    _search(model, utterances, values, protocol=protocol.value, out=out, **run)


def _search(
    model: "BaseEstimator", corpus: "Bunch", grid: dict[str, list], *, out: Path, **run: Any
) -> None:
    from .grid_search import search
    from .plotting import SearchDisplay

    result = search(model, corpus, grid, out=out, verbose=1, **run)
    print(result)
    n_failed = len(result.failures)
    names = ["results.csv", "settings.json", "candidates"]
    if n_failed:
        names.insert(1, "failures.csv")
    if result.best is not None:
        display = SearchDisplay.from_search(result)
        display.figure_.savefig(out / "heat_map.png", dpi=120)
        names.insert(1, "heat_map.png")
    print(f"\nWritten to {out}: {', '.join(names)}")
    if n_failed:
        from .exceptions import EvaluationError

        raise EvaluationError(f"{n_failed} fold(s) failed, see above; --resume tries them again.")


def check_grid(model: "BaseEstimator", grid: dict[str, list[Any]]) -> None:
    """Refuse parameters that the model does not have, and values that it does not allow."""
    from ._candidates import make_candidates

    make_candidates(model, grid)
