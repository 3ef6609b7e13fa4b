"""A score over two parameters, as colours."""

import numpy as np

from keras_decay.curves.draw import drawing, picture
from keras_decay.ground import looks

COLOURS = "viridis"
LABELS = 7  # on an axis, at most
MARKS = ("o", "s")


def draw(ax, cells, *, names, label, marks=()):
    """Draw a heat map: a cell for each pair of values.

    Args:
        ax: matplotlib Axes, or None for new ones on a figure of their own.
        cells: List of (value of the first, value of the second, score).
        names: The names of the two parameters.
        label: What the score is; smaller is darker.
        marks: A list of (value of the first, of the second, words).

    Returns:
        The Axes.
    """
    from matplotlib.colors import LogNorm

    from keras_decay.curves.draw import figure, layout

    own = ax is None
    ax = figure.new_axes() if own else ax
    across = _ordered([cell[0] for cell in cells])
    up = _ordered([cell[1] for cell in cells])
    scores = np.full((len(up), len(across)), np.nan)
    for first, second, score in cells:
        scores[up.index(second), across.index(first)] = score
    scores = drawing.drawable(scores)
    finite = scores[np.isfinite(scores)]
    log = bool(len(finite)) and 0 < finite.min() * picture.LOG_FROM < finite.max()
    mesh = ax.pcolormesh(
        np.ma.masked_invalid(scores), cmap=COLOURS, norm=LogNorm() if log else None
    )
    texts = []
    for (first, second, text), marker in zip(marks, MARKS, strict=False):
        x, y = across.index(first) + 0.5, up.index(second) + 0.5
        ax.plot(x, y, marker, ms=6, mfc="none", mec="white", mew=2.6)
        ax.plot(x, y, marker, ms=6, mfc="none", mec=looks.VALIDATION, mew=1.3)
        texts.append(f"{'○' if marker == 'o' else '□'} {text}")
    figure.style(ax, names[0], names[1], False)
    ax.grid(False)
    ax.margins(0)
    _ticks(ax.xaxis, across)
    _ticks(ax.yaxis, up)
    layout.arrange(ax, own, drawing.capital(label), "   ".join(texts), [])
    _colour_bar(ax, mesh, own)
    return ax


def _ordered(values):
    """The different values, in ascending order where they have one."""
    different = list(dict.fromkeys(values))
    try:
        return sorted(different)
    except TypeError:
        return different


def _ticks(axis, values):
    every = -(-len(values) // LABELS)
    chosen = range(0, len(values), every)
    words = [v if isinstance(v, str) else f"{v:.2g}" for v in values]
    axis.set_ticks([i + 0.5 for i in chosen], [words[i] for i in chosen])


def _colour_bar(ax, mesh, own):
    from keras_decay.curves.draw.figure import SMALL

    if own:
        box = ax.get_position()
        ax.set_position((box.x0, box.y0, 0.82 * box.width, box.height))
        bar = ax.figure.colorbar(mesh, cax=ax.inset_axes((1.04, 0, 0.05, 1)))
    else:
        bar = ax.figure.colorbar(mesh, ax=ax)
    bar.outline.set_visible(False)
    bar.ax.tick_params(
        colors=looks.FAINT, labelsize=SMALL, length=0, pad=2.5, which="both"
    )
