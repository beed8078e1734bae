"""Figures of evaluations and searches; matplotlib is imported when one is drawn."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pandas as pd

from ._candidates import short_names
from .exceptions import EvaluationError
from .results import Evaluation
from .search_results import OPTIMISM, SearchResult

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.image import AxesImage
    from matplotlib.text import Text
    from sklearn.metrics import ConfusionMatrixDisplay


def plot_confusion_matrix(
    evaluation: Evaluation, *, ax: "Axes | None" = None
) -> "ConfusionMatrixDisplay":
    """Draw the pooled confusion matrix: of each emotion, the share predicted as each other.

    Parameters
    ----------
    evaluation : Evaluation
        What `evaluate` returned.
    ax : matplotlib.axes.Axes, default=None
        Where to draw; a new figure if not given.

    Returns
    -------
    display : sklearn.metrics.ConfusionMatrixDisplay
        Holds the matrix, the axes and the figure.
    """
    from sklearn.metrics import ConfusionMatrixDisplay

    labels = evaluation.settings["corpus"]["emotions"]
    counts = evaluation.confusion.to_numpy()
    totals = counts.sum(axis=1, keepdims=True)
    shares = np.divide(counts, totals, out=np.zeros(counts.shape), where=totals > 0)
    if ax is None:
        ax = _make_axes(7, 6)
    display = ConfusionMatrixDisplay(shares, display_labels=labels)
    display.plot(ax=ax, values_format=".0%", cmap="Blues", xticks_rotation=45, im_kw={"vmax": 1})
    scores = evaluation.pooled
    caveat = f" ({evaluation.caveat})" if evaluation.caveat else ""
    ax.set_title(
        f"{evaluation.settings['corpus']['name']}, {evaluation.settings['protocol']['name']}"
        f"{caveat}, pooled\nUAR {scores['uar']:.1%}, WA {scores['wa']:.1%}"
    )
    return display


class SearchDisplay:
    """Heat map of the scores of a search over two of its parameters, or one.

    Make it with `from_search` or `from_results`.

    Parameters
    ----------
    scores : DataFrame
        One row a value of the first parameter and one column a value of the second, named after
        the parameters; NaN where there is no score.
    score_name : str
        What the scores are.
    title : str, default=""
        Title of the figure.

    Attributes
    ----------
    ax_ : matplotlib.axes.Axes
        Where it is drawn.
    figure_ : matplotlib.figure.Figure
        The figure.
    im_ : matplotlib.image.AxesImage
        The colours.
    text_ : ndarray of matplotlib.text.Text
        The scores that are written into the cells.

    See Also
    --------
    search : Makes what is drawn.
    """

    ax_: "Axes"
    figure_: Any
    im_: "AxesImage"
    text_: "np.ndarray[Any, np.dtype[np.object_]]"

    def __init__(self, *, scores: pd.DataFrame, score_name: str, title: str = ""):
        self.scores = scores
        self.score_name = score_name
        self.title = title

    @classmethod
    def from_search(
        cls,
        result: SearchResult,
        *,
        params: Sequence[str] | None = None,
        score: str = "pooled_uar",
        ax: "Axes | None" = None,
    ) -> Self:
        """Draw what `search` returned; the title says that the best score is optimistic.

        Parameters
        ----------
        result : SearchResult
            What `search` returned.
        params : sequence of str, default=None
            The two parameters that are drawn, or one, such as "mfcc__duration"; the first two of
            those with several values if not given.
        score : str, default="pooled_uar"
            Column of `result.results`.
        ax : matplotlib.axes.Axes, default=None
            Where to draw; a new figure if not given.

        Returns
        -------
        display : SearchDisplay
            Holds the scores, the axes and the figure.

        Raises
        ------
        EvaluationError
            If there is no such parameter or score.
        """
        settings = result.settings
        caveat = settings["protocol"].get("caveat", "")
        protocol = settings["protocol"]["name"] + (f" ({caveat})" if caveat else "")
        title = f"{settings['corpus']['name']}, {protocol}\n{OPTIMISM}"
        return cls.from_results(result.results, params=params, score=score, title=title, ax=ax)

    @classmethod
    def from_results(
        cls,
        results: pd.DataFrame | Mapping[str, Any],
        *,
        params: Sequence[str] | None = None,
        score: str = "mean_test_score",
        title: str = "",
        ax: "Axes | None" = None,
    ) -> Self:
        """Draw the table of a search, such as `cv_results_` of scikit-learn's `GridSearchCV`.

        Of candidates that differ in other parameters only, the best one is drawn.

        Parameters
        ----------
        results : DataFrame or mapping
            With a column `param_<name>` a parameter.
        params : sequence of str, default=None
            The two parameters that are drawn, or one; the first two of those with several values
            if not given.
        score : str, default="mean_test_score"
            Column of `results`.
        title : str, default=""
            Title of the figure.
        ax : matplotlib.axes.Axes, default=None
            Where to draw; a new figure if not given.

        Returns
        -------
        display : SearchDisplay
            Holds the scores, the axes and the figure.

        Raises
        ------
        EvaluationError
            If there is no such parameter or score.
        """
        table = pd.DataFrame(dict(results))
        known = [name for name in map(str, table) if name.startswith("param_")]
        if score not in table:
            numbers = [name for name in map(str, table) if table[name].dtype == float]
            raise EvaluationError(
                f"The 'score' parameter must be one of {', '.join(numbers)}. Got {score!r} instead."
            )
        # As text: values may be of any kind, and of several.
        table = table.assign(**{name: table[name].map(str) for name in known})
        if params is None:
            params = [name for name in known if table[name].nunique() > 1][:2] or known[:1]
        drawn = [f"param_{name.removeprefix('param_')}" for name in params]
        if not 1 <= len(set(drawn)) == len(drawn) <= 2 or not {*drawn} <= {*known}:
            raise EvaluationError(
                "The 'params' parameter must be one or two of "
                f"{', '.join(name.removeprefix('param_') for name in known)}. Got {params!r} "
                "instead."
            )
        scores = _pivot(table, drawn, score)
        others = [name for name in known if name not in drawn and table[name].nunique() > 1]
        if others:
            best = ", ".join(short_names([name.removeprefix("param_") for name in others]).values())
            title = f"{title}\nhighest over {best}".strip()
        names = {"pooled_uar": "UAR, pooled", "mean_test_uar": "UAR, mean over speakers"}
        return cls(scores=scores, score_name=names.get(score, score), title=title).plot(ax=ax)

    def plot(
        self, *, ax: "Axes | None" = None, cmap: str = "Blues", values_format: str = ".1%"
    ) -> Self:
        """Draw the heat map.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, default=None
            Where to draw; a new figure if not given.
        cmap : str, default="Blues"
            Name of matplotlib's colour map.
        values_format : str, default=".1%"
            How a score is written.

        Returns
        -------
        display : SearchDisplay
            This one.
        """
        n_rows, n_columns = self.scores.shape
        if ax is None:
            ax = _make_axes(2.5 + 1.2 * max(3, n_columns), 1.8 + 0.7 * n_rows)
        values = self.scores.to_numpy(dtype=float)
        image = ax.imshow(values, cmap=cmap, aspect="auto")
        ax.set_xticks(range(n_columns), list(map(str, self.scores.columns)))
        ax.set_yticks(range(n_rows), list(map(str, self.scores.index)))
        ax.set(xlabel=self.scores.columns.name or "", ylabel=self.scores.index.name or "")
        middle = np.nanmean(image.get_clim())
        texts: list[list[Text]] = [
            [
                ax.text(
                    column,
                    row,
                    "" if np.isnan(value) else format(value, values_format),
                    ha="center",
                    va="center",
                    color="white" if value > middle else "black",
                )
                for column, value in enumerate(line)
            ]
            for row, line in enumerate(values)
        ]
        ax.figure.colorbar(image, ax=ax, label=self.score_name, format=_percent)
        ax.set_title(self.title, fontsize="medium")
        self.ax_, self.figure_, self.im_ = ax, ax.figure, image
        self.text_ = np.array(texts, dtype=object)
        return self


def _pivot(table: pd.DataFrame, drawn: list[str], score: str) -> pd.DataFrame:
    """Return the best score of each pair of values, in the order in which they come."""
    orders = [list(dict.fromkeys(table[name])) for name in drawn]
    best = table.groupby(drawn, sort=False)[score].max()
    short = list(short_names([name.removeprefix("param_") for name in drawn]).values())
    if len(drawn) == 1:
        row = best.reindex(orders[0]).to_numpy()
        return pd.DataFrame([row], index=[""], columns=pd.Index(orders[0], name=short[0]))
    scores = best.unstack().reindex(index=orders[0], columns=orders[1])
    return scores.rename_axis(index=short[0], columns=short[1])


def _percent(value: float, _: object) -> str:
    return f"{value:.0%}"


def _make_axes(width: float, height: float) -> "Axes":
    from matplotlib.figure import Figure

    # A figure of its own, so that no window system is needed to write it to a file.
    return Figure(figsize=(width, height), layout="constrained").subplots()
