"""Figures of an evaluation; matplotlib is imported when one is drawn."""

from typing import TYPE_CHECKING

import numpy as np

from .results import Evaluation

if TYPE_CHECKING:
    from matplotlib.axes import Axes
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
    from matplotlib.figure import Figure
    from sklearn.metrics import ConfusionMatrixDisplay

    labels = evaluation.settings["corpus"]["emotions"]
    counts = evaluation.confusion.to_numpy()
    totals = counts.sum(axis=1, keepdims=True)
    shares = np.divide(counts, totals, out=np.zeros(counts.shape), where=totals > 0)
    if ax is None:
        # A figure of its own, so that no window system is needed to write it to a file.
        ax = Figure(figsize=(7, 6), layout="constrained").subplots()
    display = ConfusionMatrixDisplay(shares, display_labels=labels)
    display.plot(ax=ax, values_format=".0%", cmap="Blues", xticks_rotation=45, im_kw={"vmax": 1})
    scores = evaluation.pooled
    caveat = f" ({evaluation.caveat})" if evaluation.caveat else ""
    ax.set_title(
        f"{evaluation.settings['corpus']['name']}, {evaluation.settings['protocol']['name']}"
        f"{caveat}, pooled\nUAR {scores['uar']:.1%}, WA {scores['wa']:.1%}"
    )
    return display
