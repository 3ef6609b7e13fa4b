"""One learning curve drawn: training, validation, the best epoch, the verdict."""

import numpy as np

from keras_decay.curves.data import columns, readers
from keras_decay.curves.verdict import smoothing
from keras_decay.curves.verdict.diagnosis import diagnose
from keras_decay.ground import looks, schema, validation

WITHOUT_PENALTY = "loss without penalty"


def draw(rows, ax=None, metric="loss", smooth=0, log=False, remark=""):
    """Draw a curve; `LearningCurve.plot` is the public form of this.

    Args:
        rows: List of rows.
        ax: matplotlib Axes, or None for new ones on a figure of their own.
        metric: Name of a column; "loss" is the loss without penalty if recorded.
        smooth: Length of a centred moving average, in epochs; 0 or 1 for none.
        log: Whether the vertical axis is logarithmic.
        remark: A sentence to be written below the others.

    Returns:
        The Axes.

    Raises:
        ValueError: If there is nothing to draw, or no such metric.
    """
    smooth = validation.integer("smooth", smooth, minimum=0)
    log = validation.boolean("log", log)
    column = column_of(rows, metric)
    train, earlier, words = training(rows, column)
    val = columns.series(rows, f"val_{column}")
    if log:
        check_positive(train, val)

    from keras_decay.curves.draw import figure, layout

    own = ax is None
    ax = figure.new_axes() if own else ax
    parts = (
        (train, earlier, looks.TRAINING, looks.DASHED, "training"),
        (val, 0.0, looks.VALIDATION, looks.SOLID, "validation"),
    )
    drawn = [_line(ax, smooth, *part) for part in parts if len(part[0])]
    label = label_of(column)
    figure.style(ax, "epoch", label, log)
    note = None
    if metric == "loss":
        diagnosis = diagnose(rows)
        words = f"{sentence_of(diagnosis)} {words}"
        note = _mark_best(ax, diagnosis)
    if _mark_restarts(ax, rows):
        words += " ▲ Training was restarted."
    if remark:
        words += f" {remark}"
    ends = [end for end in drawn if end is not None]
    layout.arrange(ax, own, capital(label), words, ends, note)
    return ax


def column_of(rows, metric):
    """The column that `metric` stands for, or a clear error."""
    if not rows:
        raise ValueError(
            "There is nothing to draw: the curve has no rows yet. Train with it first, "
            "or read one with `LearningCurve.load(path)`."
        )
    known = columns.metrics(rows)
    column = metric
    if metric == "loss":
        column = columns.loss_columns(rows)
    elif (
        isinstance(metric, str) and metric.removeprefix(schema.VALIDATION) not in known
    ):
        # A name that was understood as ours when the curve was read.
        column = readers.canonical(metric) or metric
    if isinstance(column, str) and column.removeprefix(schema.VALIDATION) in known:
        return column.removeprefix(schema.VALIDATION)
    return validation.choice("metric", metric, known)


def drawable(values):
    """`values` with gaps where they cannot be drawn.

    Beyond 1e100 matplotlib's own margins overflow, on a logarithmic axis above all.
    """
    return np.where(np.abs(values) < 1e100, values, np.nan)


def check_positive(*lines):
    """Refuse a logarithmic axis for what has no positive value."""
    values = np.concatenate([line.values for line in lines])
    if not np.any(values > 0):
        raise ValueError(
            validation.received(
                "log", True, "False where no value is positive", "Leave it out."
            )
        )


def _line(ax, smooth, series, shift, colour, style, name):
    """Draw one series; returns the end of its line, or None if nothing is finite."""
    from keras_decay.curves.draw import figure, layout

    x = series.epochs - shift
    y = drawable(series.values)
    marker = "o" if np.isfinite(y).sum() == 1 else None
    if smooth > 1 and np.isfinite(y).all():
        ax.plot(x, y, color=colour, alpha=0.25, linewidth=figure.THIN)
        y = smoothing.moving_average(y, smooth)
    (line,) = ax.plot(
        x,
        y,
        color=colour,
        linestyle=style,
        linewidth=figure.THICK,
        marker=marker,
        markersize=3,
        label=name,
    )
    finite = np.flatnonzero(np.isfinite(y))
    if not len(finite):
        return None
    return layout.End(x[finite[-1]], y[finite[-1]], name, line)


def training(rows, column):
    """How training is compared with validation.

    Returns:
        The series, by how many epochs it lies earlier, and what a reader must know.
    """
    again = columns.series(rows, schema.REEVALUATED + column)
    if len(again):
        return again, 0.0, "Training is evaluated at the epoch's end."
    return columns.series(rows, column), lead(column), ""


def lead(column):
    """By how many epochs the training values of a column lie before the epoch's end.

    Keras' training values are averages over the epoch, validation is measured at its
    end: in time the former lie half an epoch earlier.
    """
    return 0.0 if column in schema.AT_THE_END else 0.5


def label_of(column):
    """The name of a column on an axis."""
    return WITHOUT_PENALTY if column == schema.DATA_LOSS else column.replace("_", " ")


def capital(text):
    """`text` with a capital letter at its beginning."""
    return text[:1].upper() + text[1:]


def sentence_of(diagnosis):
    """The verdict as a sentence that stands by itself."""
    return f"{capital(str(diagnosis))}."


def _mark_restarts(ax, rows):
    """A small mark on the axis where training went on after an interruption."""
    epochs = [row["epoch"] - 0.5 for row in rows if row.get(schema.RESTART)]
    if epochs:
        foot = [0.0] * len(epochs)
        place = ax.get_xaxis_transform()
        limits = ax.get_xlim()
        ax.plot(
            epochs, foot, "^", color=looks.INK, ms=3, transform=place, clip_on=False
        )
        ax.set_xlim(limits)
    return bool(epochs)


def _mark_best(ax, diagnosis):
    """A thin line at the best epoch, and a light ground where the model overfits.

    Returns:
        Where to write which words in which colour, or None.
    """
    epoch = diagnosis.best_epoch
    if epoch is None or diagnosis.verdict == "inconclusive":
        return None
    if diagnosis.onset_epoch is not None:
        left, right = ax.get_xlim()
        ax.axvspan(
            diagnosis.onset_epoch, right, color=looks.VALIDATION, alpha=0.07, lw=0
        )
        ax.set_xlim(left, right)
    ax.axvline(epoch, color=looks.FAINT, linewidth=0.7, linestyle=(0, (1, 1.5)))
    return epoch, f"best epoch {epoch}", looks.FAINT
