"""Several curves in one picture."""

from collections.abc import Mapping

import numpy as np

from keras_decay.curves.data import columns as _columns
from keras_decay.curves.draw import drawing
from keras_decay.curves.verdict import smoothing
from keras_decay.ground import looks, schema, validation


def plot_curves(curves, ax=None, *, metric="loss", smooth=0, log=False):
    """Draw several learning curves over one another, validation thick, training thin.

    Each name has a colour and a kind of line, told apart with every kind of colour
    vision and in print without colour. The names stand at the ends of the lines where
    there is room, else in a legend above them.

    Several curves under one name, as from several seeds or folds, are drawn as their
    mean in a band from the lowest to the highest of them, over the epochs that all of
    them have. A single curve is drawn as `LearningCurve.plot` does, with its verdict.

    Training values are averages over their epoch, validation is measured at its end; so
    training is drawn half an epoch earlier. A new figure has the width of a paper's
    column, 3.3 inches, and letters of 7 to 9 points.

    Args:
        curves: Dict from a name to a curve or to a list of curves. A curve is anything
            that `diagnose` takes: a `LearningCurve`, a Keras `History`, rows, a dict
            of lists.
        ax: matplotlib Axes to draw on, or None for a new figure (`ax.figure`), made
            without pyplot.
        metric: Name of a column. "loss" is the loss without penalty if all curves
            have it, else `loss`.
        smooth: Length in epochs of a centred moving average over each curve; 0 for
            none.
        log: Whether the vertical axis is logarithmic.

    Returns:
        The matplotlib Axes.

    Raises:
        ValueError: If `curves` is empty or a curve has no such metric.
        TypeError: If something in it is no curve.

    Example:

    ```python
    ax = kd.plot_curves({"no penalty": plain, "L2(0.01)": [seed_0, seed_1, seed_2]})
    ax.figure.savefig("curves.png")
    ```
    """
    if not isinstance(curves, Mapping) or not curves:
        must = "a dict from names to curves, with at least one"
        raise ValueError(validation.received("curves", curves, must))
    smooth = validation.integer("smooth", smooth, minimum=0)
    log = validation.boolean("log", log)
    runs = {str(name): _runs(name, value) for name, value in curves.items()}
    alone = next(iter(runs.values()))
    if len(runs) == 1 and len(alone) == 1:
        return drawing.draw(alone[0], ax, metric, smooth, log)
    column = _common_column(runs, metric)
    everything = [rows for group in runs.values() for rows in group]
    if log:
        names = (column, f"val_{column}")
        drawing.check_positive(
            *(_columns.series(rows, name) for rows in everything for name in names)
        )

    from keras_decay.curves.draw import figure, layout

    own = ax is None
    ax = figure.new_axes() if own else ax
    train_column, shift, words = _training(everything, column)
    ends, phases = [], set()
    for index, (name, group) in enumerate(runs.items()):
        look = looks.colour_and_style(index)
        train = _group(ax, group, train_column, shift, smooth, look, None)
        val = _group(ax, group, f"val_{column}", 0.0, smooth, look, name)
        end = val or train
        if end is not None:
            ends.append(layout.End(end.x, end.y, name, end.line))
        phases |= {name for name, end in (("v", val), ("t", train)) if end is not None}
    label = drawing.label_of(column)
    figure.style(ax, "epoch", label, log)
    text = "Thick: validation, thin: training. " if len(phases) > 1 else ""
    text += words
    if any(len(group) > 1 for group in runs.values()):
        text += " Line: mean of the runs, band: lowest to highest."
    layout.arrange(ax, own, drawing.capital(label), text, ends)
    return ax


def _runs(name, value):
    """The curves under one name, each as rows."""
    several = isinstance(value, (list, tuple)) and not all(map(_is_row, value))
    runs = list(value) if several else [value]
    rows = [_columns.as_rows(run, f"curves[{name!r}]") for run in runs]
    if not all(rows):
        raise ValueError(
            f"The curve {name!r} has no rows: there is nothing to draw. Train with it "
            "first, or read one with `LearningCurve.load(path)`."
        )
    return rows


def _is_row(value):
    """Whether this is one row, and no dict of lists."""
    return isinstance(value, Mapping) and not any(
        isinstance(entry, (list, tuple, np.ndarray)) for entry in value.values()
    )


def _common_column(runs, metric):
    """The column that all curves are drawn by."""
    every = [rows for group in runs.values() for rows in group]
    columns = {drawing.column_of(rows, metric) for rows in every}
    if len(columns) == 1:
        return columns.pop()
    # Some with and some without the loss apart from the penalty: like with like.
    for rows in every:
        if "loss" not in _columns.metrics(rows):
            raise ValueError(
                "These curves have no loss in common: some have only `data_loss`, "
                "others only `loss`. Draw them apart, or give `metric`."
            )
    return "loss"


def _training(everything, column):
    """The column of training that all runs have, and how it is to be understood."""
    again = schema.REEVALUATED + column
    if all(len(_columns.series(rows, again)) for rows in everything):
        return again, *drawing.training(everything[0], column)[1:]
    return column, drawing.lead(column), ""


def _group(ax, group, column, shift, smooth, look, name):
    """Draw one column of the curves of one name; returns the end of the line."""
    from keras_decay.curves.draw import figure, layout

    series = [_columns.series(rows, column) for rows in group]
    epochs = series[0].epochs
    for one in series[1:]:
        epochs = np.intersect1d(epochs, one.epochs)
    if not len(epochs):
        return None
    values = drawing.drawable(
        np.stack([one.values[np.isin(one.epochs, epochs)] for one in series])
    )
    if smooth > 1:
        values = np.stack([smoothing.moving_average(one, smooth) for one in values])
    x, mean = epochs - shift, values.mean(axis=0)
    colour, style = look
    (line,) = ax.plot(
        x,
        mean,
        color=colour,
        linestyle=style,
        lw=figure.THICK if name else figure.THIN,
        alpha=1.0 if name else 0.6,
        marker="o" if np.isfinite(mean).sum() == 1 else None,
        markersize=3,
        label=name,
    )
    if len(series) > 1:
        low, high = values.min(axis=0), values.max(axis=0)
        ax.fill_between(
            x, low, high, color=colour, alpha=0.18 if name else 0.08, linewidth=0
        )
    finite = np.flatnonzero(np.isfinite(mean))
    if not len(finite):
        return None
    return layout.End(x[finite[-1]], mean[finite[-1]], name, line)
