"""A score against a parameter, with a band, and what was chosen marked."""

import numpy as np

from keras_decay.curves.draw import drawing, picture
from keras_decay.ground import looks

HELD_OUT, TRAINING = "held out", "training"


def draw(ax, points, *, name, label, words, marks=(), limit=None):
    """Draw a validation curve.

    Args:
        ax: matplotlib Axes, or None for new ones on a figure of their own.
        points: Dict with arrays "value" (of the parameter, ascending), "mean", "low",
            "high" (the score and its band) and, if it is known, "training".
        name: The parameter's name.
        label: What the score is.
        words: What stands below the heading.
        marks: A list of (index, words) of the points that are marked.
        limit: A height at which a thin line is drawn between the marks, or None.

    Returns:
        The Axes.
    """
    from keras_decay.curves.draw import figure, layout

    own = ax is None
    ax = figure.new_axes() if own else ax
    x, zero = _places(points["value"])
    y = {k: drawing.drawable(v) for k, v in points.items() if k != "value"}
    colour = looks.VALIDATION
    ax.fill_between(x, y["low"], y["high"], color=colour, alpha=0.18, linewidth=0)
    dots = {"marker": "o", "markersize": 2.2 if len(x) < 40 else 0}
    (line,) = ax.plot(x, y["mean"], color=colour, lw=figure.THICK, **dots)
    lines = [(HELD_OUT, y["mean"], line)]
    if "training" in y:
        look = {"color": looks.TRAINING, "linestyle": looks.DASHED}
        (line,) = ax.plot(x, y["training"], lw=figure.THICK, **look)
        lines.append((TRAINING, y["training"], line))
    for index, _ in marks:
        ax.axvline(x[index], color=looks.FAINT, lw=0.7, linestyle=(0, (1, 1.5)))
        ax.plot(x[index], y["mean"][index], "o", ms=5, mfc="white", mec=colour, mew=1.4)
    if limit is not None and len(marks) > 1:
        ends = sorted(x[index] for index, _ in marks)
        ax.plot(ends, [limit, limit], color=looks.FAINT, lw=0.7)
    logarithmic = _is_wide(points["value"])
    if logarithmic:
        ax.set_xscale("log")
    drawn = np.concatenate([one[np.isfinite(one)] for one in y.values()])
    log = bool(len(drawn)) and 0 < drawn.min() * picture.LOG_FROM < drawn.max()
    figure.style(ax, name, label, log)
    _ticks(ax, logarithmic, zero)
    ends = [_end(x, values, word, line) for word, values, line in lines]
    notes = [(x[index], text, looks.INK) for index, text in marks]
    title = drawing.capital(label)
    layout.arrange(ax, own, title, words, [e for e in ends if e], notes)
    return ax


def _is_wide(values):
    """Whether the positive values are better told apart on a logarithmic axis."""
    positive = values[values > 0]
    return (
        not np.any(values < 0)
        and len(positive) > 1
        and (positive.max() >= 10 * positive.min())
    )


def _places(values):
    """Where the values stand on the axis, and the place of zero, if it has one.

    A logarithmic axis has no zero: it stands one step to the left of the others.
    """
    if not _is_wide(values) or np.all(values > 0):
        return values, None
    positive = np.unique(values[values > 0])
    step = max(float(np.median(positive[1:] / positive[:-1])), 1.5)
    zero = positive[0] / step
    return np.where(values > 0, values, zero), zero


def _ticks(ax, logarithmic, zero):
    """The horizontal axis is one of numbers, not of epochs."""
    from matplotlib.ticker import (
        FixedLocator,
        FuncFormatter,
        LogLocator,
        MaxNLocator,
        NullFormatter,
        NullLocator,
    )

    if not logarithmic:
        ax.xaxis.set_major_locator(MaxNLocator(nbins=6))
        return
    low, high = ax.get_xlim()
    powers = np.log10(high / low)
    locator = LogLocator(numticks=7) if powers > 1.5 else LogLocator(subs=(1, 2, 5))
    ticks = [t for t in locator.tick_values(low, high) if low <= t <= high]
    if zero is not None:
        ticks = [zero, *(tick for tick in ticks if tick > 1.5 * zero)]
    ax.xaxis.set_major_locator(FixedLocator(ticks))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.xaxis.set_minor_formatter(NullFormatter())
    ax.xaxis.set_major_formatter(FuncFormatter(lambda t, _: _word(t, zero)))


def _word(tick, zero):
    if tick == zero:
        return "0"
    if 1e-2 < tick < 1e4:
        return f"{tick:g}"
    power = np.log10(tick)
    exact = abs(power - round(power)) < 1e-9
    return f"$10^{{{round(power)}}}$" if exact else f"{tick:.0e}"


def _end(x, values, word, line):
    from keras_decay.curves.draw.layout import End

    finite = np.flatnonzero(np.isfinite(values))
    return End(x[finite[-1]], values[finite[-1]], word, line) if len(finite) else None
