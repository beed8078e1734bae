"""The command line: each command is a thin call of the package."""

import json
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from . import _cache_cli, _reproduce_cli, _search_cli
from ._files import replaced_file
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
    SeedOption,
    SeedsOption,
    SpeakersOption,
    SubsetOption,
    ThreadsOption,
    UrlOption,
    messages,
    split_seeds,
    start_keras,
)

if TYPE_CHECKING:
    from sklearn.base import BaseEstimator
    from sklearn.utils import Bunch

# Of a table that no terminal shows: a program that reads it wants one line a recording.
_FILE_WIDTH = 10_000

app = typer.Typer(
    name="skser",
    help="Speech emotion recognition with LIGHT-SERNET, tested on speakers it has not heard.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
)
app.add_typer(_reproduce_cli.app, name="reproduce")
app.add_typer(_cache_cli.app, name="cache")


@app.callback(invoke_without_command=True)
def _common(
    version: Annotated[bool, typer.Option("--version", help="Show the version.")] = False,
) -> None:
    if version:
        from ._version import __version__

        print(f"skser {__version__}")
        raise typer.Exit


@app.command()
def evaluate(
    context: typer.Context,
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
        "skser-results"
    ),
    resume: ResumeOption = False,
    jobs: JobsOption = 1,
    threads: ThreadsOption = None,
    cache: CacheOption = None,
    seeds: SeedsOption = "0",
) -> None:
    """Train and test: by default, each speaker is predicted unheard.

    Every finished fold is written to --out at once, and --resume continues there.

    [b]Examples[/b]

      skser evaluate

      skser evaluate --corpus emodb --root path/to/emodb --out emodb-results

      skser evaluate --corpus emodb --download --loss focal --seeds 0,1,2 --jobs 2 --resume
    """
    runs = split_seeds(seeds)
    utterances = load_corpus(corpus, root, download, url, speakers, subset, pattern)
    if baseline:
        model = make_baseline(context, baseline, protocol)
    else:
        model = make_model(
            *(recipe, loss, duration, epochs, learning_rate, batch_size, precision, runs[0]),
            *(epoch, protocol),
        )
        start_keras(threads)
    use_cache(model, cache)
    run = {"resume": resume, "n_jobs": jobs, "n_threads": threads, "seeds": runs}
    _evaluate(model, utterances, protocol=protocol.value, out=out, **run)


def _evaluate(model: "BaseEstimator", corpus: "Bunch", *, out: Path, **run: Any) -> None:
    from .evaluation import evaluate
    from .plotting import plot_confusion_matrix

    evaluation = evaluate(model, corpus, out=out, verbose=1, **run)
    plot_confusion_matrix(evaluation).figure_.savefig(out / "confusion_matrix.png", dpi=120)
    print(evaluation)
    names = (
        "predictions.csv, confusion.csv, confusion_matrix.png, scores.json, settings.json, "
        "folds.csv"
    )
    print(f"\nWritten to {out}: {names}")


app.command()(_search_cli.search)


@app.command()
def compare(
    a: Annotated[Path, typer.Argument(metavar="FOLDER_A", help="Results of skser evaluate.")],
    b: Annotated[Path, typer.Argument(metavar="FOLDER_B", help="Others on the same corpus.")],
) -> None:
    """Compare two evaluations of the same utterances.

    [b]Example[/b]

      skser compare emodb-results emodb-focal-results
    """
    import skser

    evaluations = skser.Evaluation.load(a), skser.Evaluation.load(b)
    comparison = skser.compare(*evaluations)
    for which, folder, evaluation in zip(("First", "Second"), (a, b), evaluations, strict=True):
        seeds = ", ".join(map(str, evaluation.settings["seeds"]))
        print(f"{which}: {folder}, UAR {evaluation.pooled['uar']:.2%}, seeds {seeds}")
    print(comparison)


@app.command()
def train(
    out: Annotated[Path, typer.Option("--out", help="The model, *.skser; replaced if it exists.")],
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
    precision: PrecisionOption = Precision.float32,
    threads: ThreadsOption = None,
    cache: CacheOption = None,
    seed: SeedOption = 0,
) -> None:
    """Train on a whole corpus and write the model to a file.

    How well it does on unseen speakers is what [b]skser evaluate[/b] tells; this does not.

    [b]Example[/b]

      skser train --corpus emodb --root path/to/emodb --out emodb.skser
    """
    from .persistence import save

    _check_file(out, ".skser")
    utterances = load_corpus(corpus, root, download, url, speakers, subset, pattern)
    model = make_model(recipe, loss, duration, epochs, learning_rate, batch_size, precision, seed)
    use_cache(model, cache)
    start_keras(threads)
    model.set_params(classifier__verbose=1).fit(utterances.data, utterances.target)
    save(model.set_params(classifier__verbose=0), out)
    print(f"Trained on {len(utterances.target)} utterances of {utterances.name}; wrote {out}")


@app.command()
def predict(
    model: Annotated[Path, typer.Argument(help="A model file, *.skser.")],
    files: Annotated[list[Path], typer.Argument(help="Recordings: WAV, FLAC, OGG, MP3.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, no table.")] = False,
    threads: ThreadsOption = None,
) -> None:
    """Predict the emotion of recordings.

    [b]Examples[/b]

      skser predict emodb.skser greeting.wav answer.mp3

      skser predict emodb.skser *.wav --json > emotions.json
    """
    from .persistence import load

    start_keras(threads)
    with messages.status(f"Listening to {len(files)} recording(s) ..."):
        pipeline = load(model)
        if not hasattr(pipeline, "steps"):
            raise typer.BadParameter(
                f"The model file '{model}' holds a classifier of MFCCs alone.", param_hint="MODEL"
            )
        probabilities = pipeline.predict_proba([str(file) for file in files])
    duration = pipeline.named_steps["mfcc"].duration
    rows = [
        _prediction(file, row, pipeline.classes_.tolist(), duration)
        for file, row in zip(files, probabilities.tolist(), strict=True)
    ]
    if as_json:
        print(json.dumps(rows, indent=1, ensure_ascii=False))
        return
    table = Table(Column("File", overflow="fold"), "Emotion", "Probability", "Heard")
    for row in rows:
        heard = f"{row['seconds_heard']:.1f} of {row['seconds']:.1f} s"
        best = row["probabilities"][row["emotion"]]
        table.add_row(Text(row["file"]), Text(str(row["emotion"])), f"{best:.0%}", heard)
    console = Console()
    if not sys.stdout.isatty():
        console.width = _FILE_WIDTH
    console.print(table)


@app.command()
def features(
    files: Annotated[list[Path], typer.Argument(help="Recordings: WAV, FLAC, OGG, MP3.")],
    out: Annotated[Path, typer.Option("--out", help="The file, *.npz; replaced if it exists.")],
    recipe: RecipeOption = Recipe.robust,
    duration: DurationOption = 3.0,
    jobs: Annotated[int, typer.Option("--jobs", min=-1, help="Threads; -1: all cores.")] = 1,
) -> None:
    """Compute the MFCCs that a recipe hears: arrays X (files x frames x coefficients) and files.

    [b]Example[/b]

      skser features *.wav --out mfcc.npz
    """
    import numpy as np

    from .pipeline import make_light_sernet

    _check_file(out, ".npz")
    names = [str(file) for file in files]
    with messages.status(f"Computing the MFCCs of {len(files)} recording(s) ..."):
        model = make_light_sernet(recipe=recipe.value, duration=duration, n_jobs=jobs)
        X = model.named_steps["mfcc"].fit_transform(names)
    with replaced_file(out) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, X=X, files=np.array(names))
    print(f"Wrote X of shape {X.shape} (files, frames, coefficients) to {out}")


def _prediction(file: Path, row: list[float], classes: list, duration: float | None) -> dict:
    import soundfile

    seconds = soundfile.info(file).duration
    by_emotion = dict(zip(classes, row, strict=True))
    return {
        "file": str(file),
        "emotion": max(by_emotion, key=by_emotion.__getitem__),
        "probabilities": by_emotion,
        "seconds_heard": seconds if duration is None else min(seconds, duration),
        "seconds": seconds,
    }


def _check_file(out: Path, suffix: str) -> None:
    """Refuse a file whose folder is missing, or that may be something else than a result."""
    if out.suffix != suffix:
        raise typer.BadParameter(f"'{out}' must end in {suffix}.", param_hint="--out")
    if not out.parent.is_dir():
        raise typer.BadParameter(f"The folder '{out.parent}' does not exist.", param_hint="--out")


def _show_warning(message: Warning | str, *_: Any, **__: Any) -> None:
    _say("Warning", "yellow", message)


def _say(kind: str, colour: str, message: object) -> None:
    # The message may hold brackets, which are no markup.
    messages.print(Text.assemble((f"{kind}: ", colour), str(message)), soft_wrap=True)


def main() -> None:
    """Run the command line: exit code 0 for success, 1 for a failed run, 2 for wrong usage."""
    warnings.showwarning = _show_warning
    try:
        app()
    except (ValueError, OSError, ImportError, MemoryError) as error:
        _say("Error", "red", error)
        sys.exit(1)
    except SystemExit as end:
        if end.code == 130:  # Ctrl-C, as typer passes it on
            messages.print("Stopped. Finished folds of an evaluation are kept.")
        raise
