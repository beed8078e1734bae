"""The options of the command line, and the corpus and the model that they describe."""

from collections.abc import Collection
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

if TYPE_CHECKING:
    from sklearn.base import BaseEstimator
    from sklearn.pipeline import Pipeline
    from sklearn.utils import Bunch

messages = Console(stderr=True)


class CorpusName(StrEnum):
    """The corpora that a command can name."""

    synthetic = "synthetic"
    emodb = "emodb"
    iemocap = "iemocap"
    ravdess = "ravdess"
    savee = "savee"
    crema_d = "crema-d"
    tess = "tess"
    folder = "folder"
    table = "table"


class Subset(StrEnum):
    """The parts of IEMOCAP."""

    all = "all"
    improvised = "improvised"
    scripted = "scripted"


class Loss(StrEnum):
    """The loss functions of the paper."""

    cross_entropy = "cross_entropy"
    focal = "focal"


class Recipe(StrEnum):
    """The named ways to train."""

    short = "short"
    paper = "paper"


class EpochSelection(StrEnum):
    """The ways to choose the epoch, neither of which knows the speakers that are tested."""

    last = "last"
    inner = "inner"


class Precision(StrEnum):
    """What training computes with."""

    float32 = "float32"
    bfloat16 = "bfloat16"


class ProtocolName(StrEnum):
    """The protocols that take one corpus."""

    leave_one_speaker_out = "leave-one-speaker-out"
    leave_one_session_out = "leave-one-session-out"
    speaker_groups = "speaker-groups"
    speaker_and_text = "speaker-and-text"
    published = "published"


class Baseline(StrEnum):
    """What the network is compared with."""

    majority = "majority"
    mfcc_svc = "mfcc_svc"
    egemaps_svc = "egemaps_svc"
    compare_svc = "compare_svc"


_CORPUS, _MODEL, _RUN = "Corpus", "Model", "Run"
CorpusOption = Annotated[
    CorpusName,
    typer.Option(
        "--corpus",
        help="What to work on. [b]folder[/b]: recordings whose paths say who speaks and how "
        "(--pattern); [b]table[/b]: a CSV file.",
        rich_help_panel=_CORPUS,
    ),
]
RootOption = Annotated[
    Path | None,
    typer.Option(
        "--root",
        help="Folder of the corpus' release, or the CSV file.",
        rich_help_panel=_CORPUS,
    ),
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
SubsetOption = Annotated[
    Subset | None,
    typer.Option("--subset", help="Which dialogs of IEMOCAP (all).", rich_help_panel=_CORPUS),
]
PatternOption = Annotated[
    str | None,
    typer.Option(
        "--pattern",
        help="Regular expression with the groups speaker and label, for the paths of a folder.",
        rich_help_panel=_CORPUS,
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
EpochOption = Annotated[
    EpochSelection,
    typer.Option(
        "--epoch",
        help="[b]last[/b], or the best on training speakers set aside ([b]inner[/b]).",
        rich_help_panel=_MODEL,
    ),
]
PrecisionOption = Annotated[
    Precision,
    typer.Option("--precision", help="What training computes with.", rich_help_panel=_MODEL),
]
BaselineOption = Annotated[
    Baseline | None,
    typer.Option("--baseline", help="In place of the network.", rich_help_panel=_MODEL),
]
ProtocolOption = Annotated[
    ProtocolName,
    typer.Option("--protocol", help="Who is held out.", rich_help_panel=_RUN),
]
ResumeOption = Annotated[
    bool,
    typer.Option("--resume", help="Go on with the folds in --out.", rich_help_panel=_RUN),
]
SeedOption = Annotated[
    int,
    typer.Option("--seed", min=0, help="Seed of the network.", rich_help_panel=_RUN),
]
SeedsOption = Annotated[
    str,
    typer.Option(
        "--seeds", help="Seeds of the network, such as 0,1,2: one run each.", rich_help_panel=_RUN
    ),
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


def split_list(text: str, option: str, allowed: Collection[str]) -> tuple[str, ...]:
    """Split `a,b` into its parts, each one of those allowed and none twice."""
    parts = tuple(part.strip() for part in text.split(","))
    if wrong := [part for part in parts if part not in allowed]:
        raise typer.BadParameter(
            f"Got {wrong[0]!r}; give some of {', '.join(allowed)}, with commas between them.",
            param_hint=option,
        )
    return tuple(dict.fromkeys(parts))


def split_seeds(text: str) -> tuple[int, ...]:
    """Split `0,1,2` into seeds."""
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdecimal() for part in parts):
        raise typer.BadParameter(
            f"Got {text!r}; give whole numbers from 0 on, such as 0,1,2.", param_hint="--seeds"
        )
    return tuple(dict.fromkeys(map(int, parts)))


_NAMES = {"None": None, "True": True, "False": False}


def parse_grid(text: str) -> dict[str, list[Any]]:
    """Read `name=value,value;name=value`: numbers, None, True and False, all else as text."""
    grid: dict[str, list[Any]] = {}
    for part in text.strip().removesuffix(";").split(";"):
        name, equals, values = (piece.strip() for piece in part.partition("="))
        listed = [value.strip() for value in values.split(",")]
        if not name or not equals or not all(listed):
            raise typer.BadParameter(
                f"Got {part.strip()!r} in {text!r}; give name=value,value with semicolons between "
                "the parameters, such as classifier__loss=cross_entropy,focal;mfcc__duration=3,7.",
                param_hint="--grid",
            )
        if name in grid:
            raise typer.BadParameter(
                f"Got {name!r} more than once; give all of its values together.",
                param_hint="--grid",
            )
        grid[name] = [_parse_value(value) for value in listed]
    return grid


def _parse_value(text: str) -> Any:
    if text in _NAMES:
        return _NAMES[text]
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def check_grid(model: "BaseEstimator", grid: dict[str, list[Any]]) -> None:
    """Refuse parameters that the model does not have, and values that it does not allow."""
    from ._candidates import make_candidates

    make_candidates(model, grid)


def start_keras(n_threads: int | None = None) -> None:
    """Start Keras, and say so: it takes a while."""
    from ._process import start_keras as start

    with messages.status("Starting Keras ..."):
        start(n_threads)


def load_corpus(
    corpus: CorpusName,
    root: Path | None,
    download: bool,
    url: str | None,
    speakers: int | None,
    subset: Subset | None,
    pattern: str | None,
) -> "Bunch":
    """Load the corpus that the options describe, and refuse options that it has no use for."""
    _refuse_unused(corpus, speakers, subset, pattern)
    if corpus is CorpusName.synthetic:
        return _make_synthetic(root, download, url, speakers)
    if root is not None and (download or url):
        raise typer.BadParameter(
            "The corpus is either in a folder or downloaded.", param_hint="--root, --download"
        )
    if root is not None:
        return _read_corpus(corpus, root, subset, pattern)
    return _download_corpus(corpus, download, url)


def _refuse_unused(
    corpus: CorpusName, speakers: int | None, subset: Subset | None, pattern: str | None
) -> None:
    if speakers is not None and corpus is not CorpusName.synthetic:
        raise typer.BadParameter(
            "Only the synthetic corpus has as many speakers as you like.", param_hint="--speakers"
        )
    if subset is not None and corpus is not CorpusName.iemocap:
        raise typer.BadParameter("Only --corpus iemocap has subsets.", param_hint="--subset")
    if (pattern is None) == (corpus is CorpusName.folder):
        raise typer.BadParameter(
            "--corpus folder needs --pattern, and no other corpus takes it.",
            param_hint="--pattern",
        )


def _make_synthetic(
    root: Path | None, download: bool, url: str | None, speakers: int | None
) -> "Bunch":
    from . import datasets

    if root or download or url:
        raise typer.BadParameter(
            "The synthetic corpus is made, not read; add --corpus emodb.",
            param_hint="--root, --download, --url",
        )
    with messages.status("Synthesising speech ..."):
        return datasets.make_emotional_speech(speakers or 10, random_state=0)


def _read_corpus(
    corpus: CorpusName, root: Path, subset: Subset | None, pattern: str | None
) -> "Bunch":
    from . import datasets

    if pattern is not None:
        return datasets.load_audio_folder(root, pattern)
    if subset is not None:
        return datasets.load_iemocap(root, subset=subset.value)
    return getattr(datasets, f"load_{corpus.name}")(root)


def _download_corpus(corpus: CorpusName, download: bool, url: str | None) -> "Bunch":
    from . import datasets

    fetch = getattr(datasets, f"fetch_{corpus.name}", None)
    if download and fetch is not None:
        return fetch(**({"url": url} if url else {}))
    needs = "--root FOLDER or --download" if fetch else "--root; it cannot be downloaded"
    raise typer.BadParameter(f"The corpus {corpus.value} needs {needs}.", param_hint="--corpus")


def make_model(
    recipe: Recipe,
    loss: Loss,
    duration: float,
    epochs: int | None,
    learning_rate: float | None,
    batch_size: int,
    precision: Precision,
    seed: int,
    epoch: EpochSelection = EpochSelection.last,
) -> "Pipeline":
    """Make the network that the options describe."""
    from .pipeline import make_light_sernet

    given: dict[str, Any] = {"epochs": epochs, "learning_rate": learning_rate}
    return make_light_sernet(
        recipe=recipe.value,
        duration=duration,
        random_state=seed,
        loss=loss.value,
        batch_size=batch_size,
        precision=precision.value,
        epoch_selection=epoch.value,
        **{name: value for name, value in given.items() if value is not None},
    )


def make_baseline(context: typer.Context, baseline: Baseline) -> "BaseEstimator":
    """Make a baseline, and refuse options of the network that were given beside it."""
    given = [
        option.opts[0]
        for option in context.command.params
        if getattr(option, "rich_help_panel", None) == _MODEL
        and option.name not in (None, "baseline")
        and getattr(context.get_parameter_source(str(option.name)), "name", "") == "COMMANDLINE"
    ]
    if given:
        raise typer.BadParameter(
            "A baseline takes the place of the network, so it has no use for the network's "
            f"options. Got {', '.join(given)}.",
            param_hint="--baseline",
        )
    from .baselines import make_baseline as make

    return make(baseline.value)
