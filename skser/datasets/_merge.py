"""Several corpora as one, for evaluation from one corpus to another."""

import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import cast

import numpy as np
import pandas as pd
from sklearn.utils import Bunch
from sklearn.utils._param_validation import validate_params

from ..exceptions import CorpusError, LabelMismatchWarning
from ._base import check_label_map, make_bunch

LabelMap = Mapping[str, str | None]

_FUNCTION = "merge_corpora"
_NEEDED = ("data", "target", "groups", "frame", "name")
# What is equal in two corpora by chance only; `speaker` and `file` are always there.
_CODES = ("file", "speaker", "session", "text")


@validate_params(
    {"corpora": "no_validation", "label_map": [Mapping, None], "name": [str, None]},
    prefer_skip_nested_validation=True,
)
def merge_corpora(
    corpora: Sequence[Bunch],
    *,
    label_map: LabelMap | Mapping[str, LabelMap] | None = None,
    name: str | None = None,
) -> Bunch:
    """Join several corpora into one, or give the emotions of a single one other names.

    Parameters
    ----------
    corpora : sequence of Bunch
        Corpora of this package, each with another `name`.
    label_map : mapping, default=None
        The common emotion for each label, or None for labels that are left out: either one
        mapping for all corpora, or a mapping from the name of each corpus to its own. Each
        label that occurs must be in it. By default, the labels stay.
    name : str, default=None
        Short name of the result. By default, the names of the corpora with "+" between them.

    Returns
    -------
    bunch : Bunch
        The corpus as :func:`make_bunch` describes it, one corpus behind the other, with the
        columns of all of them in `frame` and these differences:

        - `frame` has a column `corpus` with the name of the corpus;
        - speakers, files, texts and sessions begin with that name ("emodb:03"), since those
          of two corpora are never the same ones. `data` are what they were;
        - `DESCR` says what was taken and left out, and ends with the descriptions of all.

        It has one more attribute:

        left_out : dict of str to dict of str to int
            For each corpus how many utterances of which label were left out.

    Raises
    ------
    CorpusError
        If there is no corpus, two have the same name, a label or a corpus is missing in
        `label_map`, or no utterance of a corpus is left.

    Warns
    -----
    LabelMismatchWarning
        If there is no `label_map`, and some labels do not occur in all corpora.

    Notes
    -----
    Waveforms in memory have no sample rate: those of all corpora must have that of the
    features. A corpus that is given twice under two names is not found here, but by the audit
    of the splits, which compares the samples.

    Examples
    --------
    >>> from skser.datasets import make_emotional_speech, merge_corpora
    >>> first, second = (
    ...     make_emotional_speech(1, n_utterances=1, emotions=["anger", "boredom"], random_state=s)
    ...     for s in (0, 1)
    ... )
    >>> first.name, second.name = "first", "second"
    >>> corpus = merge_corpora([first, second], label_map={"anger": "angry", "boredom": None})
    >>> corpus.groups.tolist(), corpus.target_names
    (['first:s01', 'second:s01'], ['angry'])
    >>> corpus.left_out
    {'first': {'boredom': 1}, 'second': {'boredom': 1}}
    """
    parts = _check_corpora(corpora)
    if label_map is None:
        kept = {corpus: list(part.target) for corpus, part in parts.items()}
        _warn_of_mismatch(kept)
    else:
        kept = _map_labels(parts, _maps_by_corpus(label_map, parts))
    frames, data, left_out = [], [], {}
    for corpus, part in parts.items():
        rows = [row for row, label in enumerate(kept[corpus]) if label is not None]
        pairs = zip(part.target, kept[corpus], strict=True)
        counts = Counter(str(label) for label, common in pairs if common is None)
        left_out[corpus] = dict(sorted(counts.items()))
        frames.append(_part_of_frame(corpus, part, kept[corpus]).iloc[rows])
        data += [part.data[row] for row in rows]
    bunch = make_bunch(
        _stack(frames),
        name="+".join(parts) if name is None else name,
        descr=_describe(parts, left_out),
        data=data,
    )
    bunch.left_out = left_out
    return bunch


def _check_corpora(corpora: Sequence[Bunch]) -> dict[str, Bunch]:
    """Return the corpora by name."""
    if not isinstance(corpora, list | tuple) or not corpora:
        got = type(corpora).__name__ if corpora else "none"
        raise CorpusError(
            f"The 'corpora' parameter of {_FUNCTION} must be a list of one or more corpora. "
            f"Got {got}."
        )
    for number, part in enumerate(corpora):
        _check_corpus(number, part)
    names = [part.name for part in corpora]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise CorpusError(
            f"The 'corpora' parameter of {_FUNCTION} must be corpora of different names. Got "
            f"{', '.join(map(repr, twice))} more than once; set the attribute 'name' of one."
        )
    return dict(zip(names, corpora, strict=True))


def _check_corpus(number: int, part: object) -> None:
    missing = _NEEDED if not isinstance(part, Mapping) else [n for n in _NEEDED if n not in part]
    if not isinstance(part, Bunch) or missing:
        raise CorpusError(
            f"Each of the 'corpora' of {_FUNCTION} must be a Bunch of skser.datasets. Number "
            f"{number} is a {type(part).__name__} without {', '.join(missing)}; "
            f"skser.datasets.make_bunch makes one of a table."
        )
    if len({len(part[attribute]) for attribute in ("data", "target", "groups", "frame")}) > 1:
        raise CorpusError(
            f"The corpus {part.name!r} must have as many rows in 'frame' as it has 'data', "
            f"'target' and 'groups'. Got {len(part.frame)} rows, {len(part.data)} utterances, "
            f"{len(part.target)} labels and {len(part.groups)} speakers."
        )
    if not isinstance(part.name, str) or not part.name or ":" in part.name:
        raise CorpusError(
            f"The name of a corpus for {_FUNCTION} must be text without ':', which ends it in "
            f"the names of its speakers. Got {part.name!r}; set the attribute 'name'."
        )
    if "corpus" in part.frame:
        raise CorpusError(
            f"The frame of the corpus {part.name!r} has a column 'corpus' already, which "
            f"{_FUNCTION} makes. Rename it, or, if the corpus was joined of others, pass these."
        )


def _warn_of_mismatch(labels: dict[str, list]) -> None:
    """Warn of labels that only some of the corpora have."""
    occurring = {corpus: {str(label) for label in given} for corpus, given in labels.items()}
    counts = Counter(label for given in occurring.values() for label in given)
    if partial := [label for label, count in counts.items() if count < len(labels)]:
        places = (
            f"{label} (only in {', '.join(c for c, given in occurring.items() if label in given)})"
            for label in sorted(partial)
        )
        warnings.warn(
            f"These emotions are not in all of the corpora {', '.join(labels)}: "
            f"{'; '.join(places)}. No model can learn them from the others; pass a 'label_map' "
            f"that maps them to common ones, or to None to leave them out.",
            LabelMismatchWarning,
            stacklevel=4,  # past merge_corpora and its wrapper
        )


def _maps_by_corpus(
    label_map: LabelMap | Mapping[str, LabelMap], parts: dict[str, Bunch]
) -> dict[str, LabelMap]:
    """Return the mapping of each corpus."""
    if not _is_nested(label_map):
        common = cast(LabelMap, label_map)
        check_label_map(common, function=_FUNCTION)
        return dict.fromkeys(parts, common)
    maps = dict(cast(Mapping[str, LabelMap], label_map))
    known = f"The corpora are {', '.join(map(repr, parts))}."
    if unknown := [str(corpus) for corpus in maps if corpus not in parts]:
        raise CorpusError(
            f"The 'label_map' parameter of {_FUNCTION} must name corpora that are given. "
            f"Got {', '.join(map(repr, unknown))}. {known}"
        )
    if missing := [corpus for corpus in parts if corpus not in maps]:
        raise CorpusError(
            f"The 'label_map' parameter of {_FUNCTION} must have a mapping for each corpus, if it "
            f"has one for any. Missing: {', '.join(map(repr, missing))}. {known}"
        )
    for one in maps.values():
        check_label_map(one, function=_FUNCTION)
    return maps


def _is_nested(label_map: Mapping) -> bool:
    """Tell a mapping for each corpus from one for all."""
    nested = [isinstance(value, Mapping) for value in label_map.values()]
    if any(nested) and not all(nested):
        odd = next(key for key, is_map in zip(label_map, nested, strict=True) if not is_map)
        raise CorpusError(
            f"The 'label_map' parameter of {_FUNCTION} must map either labels to labels, or each "
            f"corpus to such a mapping. Got both: {odd!r} is mapped to {label_map[odd]!r}."
        )
    return any(nested)


def _map_labels(parts: dict[str, Bunch], maps: dict[str, LabelMap]) -> dict[str, list[str | None]]:
    """Give each utterance its common label, or None if it is left out."""
    missing = [
        f"{label!r} of {corpus!r}"
        for corpus, part in parts.items()
        for label in np.unique(part.target).tolist()
        if label not in maps[corpus]
    ]
    if missing:
        raise CorpusError(
            f"The 'label_map' parameter of {_FUNCTION} must have every label of each corpus. "
            f"Missing: {', '.join(missing)}. Add each with its common label, or map it to None to "
            f"leave it out."
        )
    kept = {c: [maps[c][str(label)] for label in part.target] for c, part in parts.items()}
    for corpus, labels in kept.items():
        if all(label is None for label in labels):
            found = ", ".join(map(str, np.unique(parts[corpus].target)))
            raise CorpusError(
                f"Of each corpus, at least one utterance must be left. The 'label_map' maps all "
                f"labels of {corpus!r} ({found}) to None; keep one of them, or do not pass this "
                f"corpus."
            )
    return kept


def _part_of_frame(corpus: str, part: Bunch, labels: list) -> pd.DataFrame:
    """Return a corpus' table with its common labels, and codes that no other corpus has."""
    # Evaluations read `target` and `groups`, so these hold where the frame says something else.
    frame = part.frame.assign(label=labels, speaker=list(part.groups), corpus=corpus)
    for column in (code for code in _CODES if code in frame):
        frame[column] = [v if pd.isna(v) else f"{corpus}:{v}" for v in frame[column]]
    return frame


def _stack(frames: list[pd.DataFrame]) -> pd.DataFrame:
    """Put tables below each other; what a table has no column for is missing."""
    # pandas.concat warns of columns that are empty in one table, as `text` may well be.
    columns = dict.fromkeys(column for frame in frames for column in frame)
    return pd.DataFrame(
        {
            column: [
                value
                for frame in frames
                for value in (frame[column] if column in frame else [np.nan] * len(frame))
            ]
            for column in columns
        }
    )


def _describe(parts: dict[str, Bunch], left_out: dict[str, dict[str, int]]) -> str:
    lines = []
    for corpus, part in parts.items():
        gone = left_out[corpus]
        n_taken = len(part.target) - sum(gone.values())
        reasons = ", ".join(f"{count} {label}" for label, count in gone.items())
        lines.append(
            f"{n_taken} of the {len(part.target)} utterances of {corpus} were taken"
            + (f"; left out by their label: {reasons}." if gone else ".")
        )
    summary = f"The corpora {', '.join(parts)} as one.\n\n**Parts.** {' '.join(lines)}\n"
    return "\n".join([summary, *(str(part.get("DESCR", "")) for part in parts.values())])
