"""Places words in a figure: heading, names of the lines, margins that fit them.

All of it is measured in points, from the words themselves, and done once the lines are
drawn. A figure of our own gets margins that fit; on axes of somebody else's the words
use what room there is.
"""

from typing import NamedTuple

from keras_decay.curves.draw.figure import SMALL, TEXT, TITLE
from keras_decay.ground import looks
from keras_decay.ground.looks import FAINT, INK

PAD = 4.0
LINE = 1.25  # the height of a line of text, in sizes of its type
GAP = 4.0  # between the end of a line and its name
# Names that take more than this share of the width stand in a legend.
WIDEST = 0.36


class End(NamedTuple):
    """The last point of a line, its name, and the artist."""

    x: float
    y: float
    name: str
    line: object


def arrange(ax, own, title, text, ends, note=None):
    """Write heading and names, and fit the margins of a figure of our own.

    Args:
        ax: Axes with everything drawn and their scales set.
        own: Whether the axes' figure is ours, with nothing else in it.
        title: The first line of the heading.
        text: What stands under it.
        ends: List of `End`; with fewer than two lines nothing is named.
        note: `(x, words, colour)` to write at the upper edge where x is, a list of
            these, one below the other, or None.
    """
    notes = [] if note is None else note if isinstance(note, list) else [note]
    ends = ends if len(ends) > 1 else []
    direct = _fit_beside(ax, own, ends)
    beside = max(_width(ax, end.name, TEXT) for end in ends) + GAP if direct else 0.0

    def lines():
        return _fit_margins(ax, text, beside) if own else _wrapped(ax, text)

    lines()
    above = _legend(ax, own, ends) if ends and not direct else 0.0
    lines()
    raise_ceiling(ax, above + len(notes) * (SMALL * LINE + 2))
    # Once more: the labels of an axis depend on its limits and its length.
    _heading(ax, title, lines())
    if direct:
        _beside(ax, ends)
    for x, words, colour in notes:
        _note(ax, x, words, colour, above)
        above += SMALL * LINE + 2


def _fit_margins(ax, text, beside):
    """Margins that hold the words in a figure of our own; returns the lines of text."""
    width, height = (72 * inches for inches in ax.figure.get_size_inches())
    left, bottom = (overhang + PAD for overhang in _overhang(ax))
    lines = _wrapped(ax, text, width - left - PAD)
    top = PAD + TITLE * LINE + 2 + SMALL * LINE * len(lines) + PAD
    across = width - left - beside - 1.5 * PAD
    up = height - bottom - top
    ax.set_position((left / width, bottom / height, across / width, up / height))
    return lines


def raise_ceiling(ax, points):
    """Raise the upper limit so far that so many points at the top are free."""
    if not points:
        return
    share = min(points / _size(ax)[1], 0.6)
    scale = ax.yaxis.get_transform()
    low, high = (float(scale.transform(limit)) for limit in ax.get_ylim())
    high = low + (high - low) / (1 - share)
    ax.set_ylim(top=float(scale.inverted().transform(high)))


def _heading(ax, title, lines):
    ax.annotate(
        "\n".join(lines),
        xy=(0, 1),
        xytext=(0, PAD),
        xycoords="axes fraction",
        textcoords="offset points",
        ha="left",
        va="bottom",
        fontsize=SMALL,
        color=FAINT,
        linespacing=1.15,
        annotation_clip=False,
    )
    ax.set_title(
        title,
        loc="left",
        pad=PAD + 2 + SMALL * LINE * len(lines),
        fontsize=TITLE,
        color=INK,
        fontweight="bold",
    )


def _note(ax, x, words, colour, above):
    at_left = (ax.transData + ax.transAxes.inverted()).transform((x, 1))[0] < 0.6
    ax.annotate(
        words,
        xy=(x, 1),
        xytext=(3 if at_left else -3, -above - 1),
        xycoords=("data", "axes fraction"),
        textcoords="offset points",
        ha="left" if at_left else "right",
        va="top",
        fontsize=SMALL,
        color=colour,
        # Where several words stand there, the line that belongs to one crosses others.
        bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.5},
    )


def _fit_beside(ax, own, ends):
    """Whether the names can stand to the right of the axes, each at its line's end."""
    if not ends:
        return False
    widest = max(_width(ax, end.name, TEXT) for end in ends) + GAP
    height = _size(ax)[1]
    if len(ends) * TEXT * LINE > height:
        return False
    if own or ax.figure.get_layout_engine() is not None:
        # The axes make room.
        whole = 72 * ax.figure.get_size_inches()[0] if own else _size(ax)[0]
        return widest < WIDEST * whole
    return widest < _room_beside(ax)


def _room_beside(ax):
    """Points from the right edge of the axes to the next axes, or to the figure's."""
    figure, box = ax.figure.canvas.figure, ax.get_window_extent()
    edge = figure.bbox.x1
    for other in figure.axes:
        there = other.get_window_extent()
        if there.x0 >= box.x1 and there.y0 < box.y1 and box.y0 < there.y1:
            # What stands to the left of its axis is its own.
            edge = min(edge, there.x0 - 36 * ax.figure.dpi / 72)
    return (edge - box.x1) * 72 / ax.figure.dpi


def _beside(ax, ends):
    """Name the lines at their right ends, moved apart where they would overlap."""
    height = _size(ax)[1]
    right = ax.get_xlim()[1]
    to_axes = (ax.transData + ax.transAxes.inverted()).transform
    wanted = sorted(
        (
            (min(max(float(to_axes((end.x, end.y))[1]), 0.0), 1.0) * height, end)
            for end in ends
        ),
        key=lambda pair: pair[0],
    )
    places = looks.spread([place for place, _ in wanted], TEXT * LINE, 0, height)
    for place, (_, end) in zip(places, wanted, strict=True):
        ax.annotate(
            end.name,
            xy=(right, 0),
            xytext=(GAP, place),
            xycoords=("data", "axes fraction"),
            textcoords="offset points",
            ha="left",
            va="center",
            fontsize=TEXT,
            color=end.line.get_color(),
            annotation_clip=False,
        )


def _legend(ax, own, ends):
    """A legend at the top of the axes; returns the points that must be free for it."""
    width = _size(ax)[0]
    for columns in range(min(4, len(ends)), 0, -1):
        legend = ax.legend(
            [end.line for end in ends],
            [end.name for end in ends],
            loc="upper left",
            ncols=columns,
            frameon=False,
            fontsize=SMALL,
            handlelength=2.2,
            columnspacing=1.2,
            labelspacing=0.25,
            borderaxespad=0.2,
            borderpad=0.2,
        )
        box = legend.get_window_extent()
        if box.width * 72 / ax.figure.dpi <= width:
            break
    needed = box.height * 72 / ax.figure.dpi + 2
    if own:
        # The lines keep their height.
        ax.figure.set_figheight(ax.figure.get_figheight() + needed / 72)
    return needed


def _wrapped(ax, text, width=None):
    """`text` in lines no wider than `width` points, by default that of the axes."""
    width = _size(ax)[0] if width is None else width
    lines: list[str] = []
    for word in text.split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and _width(ax, longer, SMALL) <= width:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines


def _width(ax, text, size):
    """The width of a text in points."""
    from matplotlib.text import Text

    artist = Text(0, 0, text, fontsize=size, figure=ax.figure)
    return artist.get_window_extent().width * 72 / ax.figure.dpi


def _size(ax):
    """Width and height of the axes in points."""
    box = ax.get_window_extent()
    return box.width * 72 / ax.figure.dpi, box.height * 72 / ax.figure.dpi


def _overhang(ax):
    """How far labels reach beyond the axes to the left and downwards, in points."""
    box, upright, lying = (
        ax.get_window_extent(),
        ax.yaxis.get_tightbbox(),
        ax.xaxis.get_tightbbox(),
    )
    points = 72 / ax.figure.dpi
    # A label of the horizontal axis may begin to the left of everything else.
    left = min(upright.x0, lying.x0)
    return max(box.x0 - left, 0) * points, max(box.y0 - lying.y0, 0) * points
