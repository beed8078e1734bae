"""The command line: each command is a thin call of the package."""

import json
import sys
import warnings
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline
    from sklearn.utils import Bunch

app = typer.Typer(
    name="skser",
    help="Speech emotion recognition with LIGHT-SERNET, tested on speakers it has not heard.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
)
_messages = Console(stderr=True)


class CorpusName(StrEnum):
    """The corpora that a command can name."""

    synthetic = "synthetic"
    emodb = "emodb"


class Loss(StrEnum):
    """The loss functions of the paper."""

    cross_entropy = "cross_entropy"
    focal = "focal"


class Recipe(StrEnum):
    """The named ways to train."""

    short = "short"
    paper = "paper"


_CORPUS, _MODEL, _RUN = "Corpus", "Model", "Run"
CorpusOption = Annotated[
    CorpusName, typer.Option("--corpus", help="What to train on.", rich_help_panel=_CORPUS)
]
RootOption = Annotated[
    Path | None,
    typer.Option("--root", help="Folder of the corpus' release.", rich_help_panel=_CORPUS),
]
DownloadOption = Annotated[
    bool,
    typer.Option("--download", help="Download the corpus (once).", rich_help_panel=_CORPUS),
]
UrlOption = Annotated[
    str | None,
    typer.Option("--url", help="A mirror to download it from.", rich_help_panel=_CORPUS),
]
SpeakersOption = Annotated[
    int | None,
    typer.Option(
        "--speakers", min=2, help="Number of synthetic speakers (10).", rich_help_panel=_CORPUS
    ),
]
RecipeOption = Annotated[
    Recipe,
    typer.Option(
        "--recipe",
        help="[b]short[/b]: 40 epochs, learning rate 1e-3, cosine. "
        "[b]paper[/b]: 300 epochs, 1e-4, steps.",
        rich_help_panel=_MODEL,
    ),
]
LossOption = Annotated[Loss, typer.Option("--loss", help="Loss function.", rich_help_panel=_MODEL)]
DurationOption = Annotated[
    float,
    typer.Option(
        "--duration", help="Length heard of each utterance, in s.", rich_help_panel=_MODEL
    ),
]
EpochsOption = Annotated[
    int | None,
    typer.Option("--epochs", min=1, help="In place of the recipe's.", rich_help_panel=_MODEL),
]
RateOption = Annotated[
    float | None,
    typer.Option("--learning-rate", help="In place of the recipe's.", rich_help_panel=_MODEL),
]
BatchOption = Annotated[
    int,
    typer.Option("--batch-size", min=1, help="Utterances a step.", rich_help_panel=_MODEL),
]
SeedOption = Annotated[
    int,
    typer.Option("--seed", min=0, help="Seed of network and corpus.", rich_help_panel=_RUN),
]
ThreadsOption = Annotated[
    int | None,
    typer.Option(
        "--threads", min=1, help="TensorFlow threads of each process.", rich_help_panel=_RUN
    ),
]
JobsOption = Annotated[
    int,
    typer.Option("--jobs", min=-1, help="Folds at a time; -1: all cores.", rich_help_panel=_RUN),
]


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
    corpus: CorpusOption = CorpusName.synthetic,
    root: RootOption = None,
    download: DownloadOption = False,
    url: UrlOption = None,
    speakers: SpeakersOption = None,
    recipe: RecipeOption = Recipe.short,
    loss: LossOption = Loss.cross_entropy,
    duration: DurationOption = 3.0,
    epochs: EpochsOption = None,
    learning_rate: RateOption = None,
    batch_size: BatchOption = 32,
    out: Annotated[
        Path, typer.Option("--out", help="Folder of the results.", rich_help_panel=_RUN)
    ] = Path("skser-results"),
    resume: Annotated[
        bool,
        typer.Option("--resume", help="Go on with the folds in --out.", rich_help_panel=_RUN),
    ] = False,
    jobs: JobsOption = 1,
    threads: ThreadsOption = None,
    seed: SeedOption = 0,
) -> None:
    """Train and test leave-one-speaker-out: each speaker is predicted unheard.

    Every finished fold is written to --out at once, and --resume continues there.

    [b]Examples[/b]

      skser evaluate

      skser evaluate --corpus emodb --root path/to/emodb --out emodb-results

      skser evaluate --corpus emodb --download --loss focal --jobs 2 --resume
    """
    from ._process import start_keras
    from .evaluation import evaluate as run
    from .plotting import plot_confusion_matrix

    utterances = _load_corpus(corpus, root, download, url, speakers, seed)
    model = _make_model(recipe, loss, duration, epochs, learning_rate, batch_size, seed)
    with _messages.status("Starting Keras ..."):
        start_keras(threads)
    evaluation = run(
        model, utterances, out=out, resume=resume, n_jobs=jobs, n_threads=threads, verbose=1
    )
    plot_confusion_matrix(evaluation).figure_.savefig(out / "confusion_matrix.png", dpi=120)
    print(evaluation)
    names = "predictions.csv, confusion_matrix.png, scores.json, settings.json, folds.csv"
    print(f"\nWritten to {out}: {names}")


@app.command()
def train(
    out: Annotated[Path, typer.Option("--out", help="The model file to write, *.skser.")],
    corpus: CorpusOption = CorpusName.synthetic,
    root: RootOption = None,
    download: DownloadOption = False,
    url: UrlOption = None,
    speakers: SpeakersOption = None,
    recipe: RecipeOption = Recipe.short,
    loss: LossOption = Loss.cross_entropy,
    duration: DurationOption = 3.0,
    epochs: EpochsOption = None,
    learning_rate: RateOption = None,
    batch_size: BatchOption = 32,
    threads: ThreadsOption = None,
    seed: SeedOption = 0,
) -> None:
    """Train on a whole corpus and write the model to a file.

    How well it does on unseen speakers is what [b]skser evaluate[/b] tells; this does not.

    [b]Example[/b]

      skser train --corpus emodb --root path/to/emodb --out emodb.skser
    """
    from ._process import start_keras
    from .persistence import save

    _check_folder_of(out)
    utterances = _load_corpus(corpus, root, download, url, speakers, seed)
    model = _make_model(recipe, loss, duration, epochs, learning_rate, batch_size, seed)
    with _messages.status("Starting Keras ..."):
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
    from ._process import start_keras
    from .persistence import load

    with _messages.status(f"Listening to {len(files)} recording(s) ..."):
        start_keras(threads)
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
    Console().print(table)


@app.command()
def features(
    files: Annotated[list[Path], typer.Argument(help="Recordings: WAV, FLAC, OGG, MP3.")],
    out: Annotated[Path, typer.Option("--out", help="The file to write, *.npz.")],
    duration: DurationOption = 3.0,
    jobs: Annotated[int, typer.Option("--jobs", min=-1, help="Threads; -1: all cores.")] = 1,
) -> None:
    """Compute the MFCCs of recordings: arrays X (files x frames x coefficients) and files.

    [b]Example[/b]

      skser features *.wav --out mfcc.npz
    """
    import numpy as np

    from .mfcc import MFCCTransformer

    _check_folder_of(out)
    names = [str(file) for file in files]
    with _messages.status(f"Computing the MFCCs of {len(files)} recording(s) ..."):
        X = MFCCTransformer(duration=duration, n_jobs=jobs).fit_transform(names)
    with out.open("wb") as file:  # numpy would add a suffix to a bare name
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


def _load_corpus(
    corpus: CorpusName,
    root: Path | None,
    download: bool,
    url: str | None,
    speakers: int | None,
    seed: int,
) -> "Bunch":
    from . import datasets

    if corpus is CorpusName.synthetic:
        if root or download or url:
            raise typer.BadParameter(
                "The synthetic corpus is made, not read; add --corpus emodb.",
                param_hint="--root, --download, --url",
            )
        with _messages.status("Synthesising speech ..."):
            return datasets.make_emotional_speech(speakers or 10, random_state=seed)
    if speakers is not None:
        raise typer.BadParameter(
            "Only the synthetic corpus has as many speakers as you like.", param_hint="--speakers"
        )
    if root is not None:
        if download or url:
            raise typer.BadParameter(
                "The corpus is either in a folder or downloaded.", param_hint="--root, --download"
            )
        return datasets.load_emodb(root)
    if download:
        return datasets.fetch_emodb(**({"url": url} if url else {}))
    raise typer.BadParameter(
        f"The corpus {corpus.value} needs --root FOLDER or --download.", param_hint="--corpus"
    )


def _check_folder_of(out: Path) -> None:
    if not out.parent.is_dir():
        raise typer.BadParameter(f"The folder '{out.parent}' does not exist.", param_hint="--out")


def _make_model(
    recipe: Recipe,
    loss: Loss,
    duration: float,
    epochs: int | None,
    learning_rate: float | None,
    batch_size: int,
    seed: int,
) -> "Pipeline":
    from .pipeline import make_light_sernet

    given: dict[str, Any] = {"epochs": epochs, "learning_rate": learning_rate}
    return make_light_sernet(
        recipe=recipe.value,
        duration=duration,
        random_state=seed,
        loss=loss.value,
        batch_size=batch_size,
        **{name: value for name, value in given.items() if value is not None},
    )


def _show_warning(message: Warning | str, *_: Any, **__: Any) -> None:
    _say("Warning", "yellow", message)


def _say(kind: str, colour: str, message: object) -> None:
    # The message may hold brackets, which are no markup.
    _messages.print(Text.assemble((f"{kind}: ", colour), str(message)), soft_wrap=True)


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
            _messages.print("Stopped. Finished folds of an evaluation are kept.")
        raise
