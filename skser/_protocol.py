"""A protocol as a scikit-learn splitter whose folds have names."""

from collections.abc import Iterator
from typing import Any, ClassVar, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.model_selection import BaseCrossValidator
from sklearn.utils.validation import _num_samples

from ._text import some
from .exceptions import EvaluationError


class Fold(NamedTuple):
    """One split of a corpus: its name, and the rows to train and to test on."""

    name: str
    train: NDArray[np.intp]
    test: NDArray[np.intp]


class Protocol(BaseCrossValidator):
    """What the protocols share: each utterance belongs to the test data of one fold.

    Attributes
    ----------
    name : str
        Name in prints and files, and in `PROTOCOLS`.
    sentence : str
        Says what is unseen.
    columns : tuple of str
        What `groups` holds: the speakers, or columns of the corpus' `frame`.
    unseen : tuple of str
        Columns of which no value may stand on both sides of a split.
    adapts : bool
        Whether the model hears the test utterances, without their labels, before it predicts.
    caveat : str
        What every result says of itself; empty unless the model knows its test data.
    """

    name: ClassVar[str]
    sentence: ClassVar[str]
    columns: ClassVar[tuple[str, ...]] = ("speaker",)
    unseen: ClassVar[tuple[str, ...]] = ("speaker",)
    adapts: ClassVar[bool] = False
    caveat: ClassVar[str] = ""
    __metadata_request__split: ClassVar[dict] = {"groups": True}

    def split(
        self, X: Any, y: ArrayLike | None = None, groups: ArrayLike | None = None
    ) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp]]]:
        """Split utterances into training and test data.

        Parameters
        ----------
        X : array-like of shape (n_samples, ...)
            Ignored but for its length.
        y : array-like of shape (n_samples,), default=None
            Labels.
        groups : array-like of shape (n_samples,) or (n_samples, n_columns)
            What is held out: the values of `columns`.

        Yields
        ------
        train, test : ndarray of int
            Rows.

        Raises
        ------
        EvaluationError
            If groups are missing, of another length, or too few to hold one out.
        """
        for fold in self.split_named(_num_samples(X), y, groups):
            yield fold.train, fold.test

    def split_named(
        self, n_samples: int, y: ArrayLike | None, groups: ArrayLike | None
    ) -> Iterator[Fold]:
        """Split as `split` does, and name the folds.

        Parameters
        ----------
        n_samples : int
            Number of utterances.
        y : array-like of shape (n_samples,)
            Labels.
        groups : array-like of shape (n_samples,) or (n_samples, n_columns)
            What is held out.

        Yields
        ------
        fold : Fold
            In the order of their names.

        Raises
        ------
        EvaluationError
            If groups are missing, of another length, or too few to hold one out.
        """
        table = self._check_groups(n_samples, groups)
        names = self._name_folds(y, table)
        for name in self._choose_folds(np.unique(names)):
            tested = names == name
            heard = ~tested & ~self._shares(tested, table)
            yield Fold(str(name), np.flatnonzero(heard), np.flatnonzero(tested))

    def get_n_splits(
        self,
        X: Any = None,  # noqa: ARG002 - scikit-learn's signature
        y: ArrayLike | None = None,
        groups: ArrayLike | None = None,
    ) -> int:
        """Count the folds.

        Parameters
        ----------
        X : object
            Ignored.
        y : array-like of shape (n_samples,), default=None
            Labels.
        groups : array-like of shape (n_samples,) or (n_samples, n_columns)
            What is held out.

        Returns
        -------
        n_splits : int
            Number of folds.
        """
        n_samples = 0 if groups is None else len(np.asarray(groups))
        return sum(1 for _ in self.split_named(n_samples, y, groups))

    def describe(self) -> dict[str, Any]:
        """Describe the protocol for the settings of an evaluation.

        Returns
        -------
        description : dict
            Name, sentence, what is unseen, parameters, and the caveat if there is one.
        """
        return {
            "name": self.name,
            "sentence": self.sentence,
            "unseen": list(self.unseen),
            "parameters": dict(vars(self)),
            **({"caveat": self.caveat} if self.caveat else {}),
        }

    def _name_folds(self, y: ArrayLike | None, groups: NDArray) -> NDArray[np.str_]:  # noqa: ARG002 - shared signature
        """Name the fold that each utterance is tested in: by default, its group."""
        return groups[:, 0]

    def _choose_folds(self, names: NDArray[np.str_]) -> NDArray[np.str_]:
        """Choose which of the folds are run: by default, all."""
        return names

    def _shares(self, tested: NDArray[np.bool_], groups: NDArray) -> NDArray[np.bool_]:  # noqa: ARG002 - shared signature
        """Tell what is neither tested nor heard, because it shares something with the test."""
        return np.zeros(len(tested), dtype=bool)

    def _check_groups(self, n_samples: int, groups: ArrayLike | None) -> NDArray[np.str_]:
        what = " and ".join(self.columns)
        if groups is None:
            raise EvaluationError(
                f"The protocol {self.name} needs 'groups': the {what} of each utterance."
            )
        table = np.asarray(groups, dtype=object)  # text would make a name of NaN
        table = table[:, np.newaxis] if table.ndim == 1 else table
        if table.shape != (n_samples, len(self.columns)):
            raise EvaluationError(
                f"The 'groups' of {self.name} must have shape ({n_samples}, {len(self.columns)}): "
                f"the {what} of each utterance. Got {table.shape}."
            )
        if n_missing := int(pd.isna(table).any(axis=1).sum()):
            raise EvaluationError(
                f"The 'groups' of {self.name} must say the {what} of every utterance. Got "
                f"{n_missing} without."
            )
        table = table.astype(np.str_)
        for column, values in zip(self.columns, table.T, strict=True):
            if len(distinct := np.unique(values)) < 2:
                raise EvaluationError(
                    f"The protocol {self.name} needs at least two different values of "
                    f"'{column}'. The corpus has {len(distinct)}: {some(distinct)}."
                )
        return table
