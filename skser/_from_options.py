"""The corpus and the model that the options of the command line describe."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from ._options import (
    MODEL_PANEL,
    Baseline,
    CorpusName,
    EpochSelection,
    Loss,
    Precision,
    ProtocolName,
    Recipe,
    Subset,
    messages,
)

if TYPE_CHECKING:
    from sklearn.base import BaseEstimator
    from sklearn.pipeline import Pipeline
    from sklearn.utils import Bunch


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
    protocol: ProtocolName = ProtocolName.leave_one_speaker_out,
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
        speaker_adaptation=protocol is ProtocolName.speaker_adaptation,
        **{name: value for name, value in given.items() if value is not None},
    )


def make_baseline(
    context: typer.Context, baseline: Baseline, protocol: ProtocolName
) -> "BaseEstimator":
    """Make a baseline, and refuse options of the network that were given beside it."""
    given = [
        option.opts[0]
        for option in context.command.params
        if getattr(option, "rich_help_panel", None) == MODEL_PANEL
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

    adapted = protocol is ProtocolName.speaker_adaptation
    return make(baseline.value, speaker_adaptation=adapted)


def use_cache(model: "BaseEstimator", folder: Path | None) -> None:
    """Let a model keep its features in a folder."""
    if folder is None:
        return
    if "mfcc__cache" not in model.get_params():
        raise typer.BadParameter(
            "Only MFCCs are kept, and this baseline has none.", param_hint="--cache"
        )
    model.set_params(mfcc__cache=str(folder))
