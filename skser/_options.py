"""The options of the command line, and what is read from their text."""

from collections.abc import Collection
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

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

    robust = "robust"
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
    speaker_adaptation = "speaker-adaptation"
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


_CORPUS, MODEL_PANEL, _RUN = "Corpus", "Model", "Run"
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
        help="[b]robust[/b]: 90 epochs of randomly changed utterances, learning rate 2e-3, cosine, "
        "64 MFCCs. "
        "[b]short[/b]: 40 epochs, 1e-3, cosine. "
        "[b]paper[/b]: 300 epochs, 1e-4, steps.",
        rich_help_panel=MODEL_PANEL,
    ),
]
LossOption = Annotated[
    Loss, typer.Option("--loss", help="Loss function.", rich_help_panel=MODEL_PANEL)
]
DurationOption = Annotated[
    float,
    typer.Option(
        "--duration",
        min=0.0,
        help="Length heard of each utterance, in s.",
        rich_help_panel=MODEL_PANEL,
    ),
]
EpochsOption = Annotated[
    int | None,
    typer.Option("--epochs", min=1, help="In place of the recipe's.", rich_help_panel=MODEL_PANEL),
]
RateOption = Annotated[
    float | None,
    typer.Option(
        "--learning-rate", min=0.0, help="In place of the recipe's.", rich_help_panel=MODEL_PANEL
    ),
]
BatchOption = Annotated[
    int,
    typer.Option("--batch-size", min=1, help="Utterances a step.", rich_help_panel=MODEL_PANEL),
]
EpochOption = Annotated[
    EpochSelection,
    typer.Option(
        "--epoch",
        help="[b]last[/b], or the best on training speakers set aside ([b]inner[/b]).",
        rich_help_panel=MODEL_PANEL,
    ),
]
PrecisionOption = Annotated[
    Precision,
    typer.Option("--precision", help="What training computes with.", rich_help_panel=MODEL_PANEL),
]
BaselineOption = Annotated[
    Baseline | None,
    typer.Option("--baseline", help="In place of the network.", rich_help_panel=MODEL_PANEL),
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
CacheOption = Annotated[
    Path | None,
    typer.Option(
        "--cache",
        help="Folder that keeps the features, so that they are computed once for all folds and "
        "runs; see skser cache.",
        rich_help_panel=_RUN,
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
    seeds = tuple(int(part) for part in parts if part.isdecimal())
    if len(set(seeds)) < len(parts):
        raise typer.BadParameter(
            f"Got {text!r}; give different whole numbers from 0 on, such as 0,1,2.",
            param_hint="--seeds",
        )
    return seeds


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


def start_keras(n_threads: int | None = None) -> None:
    """Start Keras, and say so: it takes a while."""
    from ._process import start_keras as start

    with messages.status("Starting Keras ..."):
        start(n_threads)
