"""Finds the series of a figure that nothing names.

Series of one colour belong together: the colour is named, and beyond that each further
style that has it. What names a colour:

- an entry of a legend, or a text in the axes, of the same colour;
- a colour bar of the same colours and limits;
- a text of the figure that calls it black, grey or white;
- the label or the title of the axes, where nothing but grey is beside it.

What names a style, a kind of line or of points:

- an entry of a legend of the same style, of the same colour or a grey;
- a text of the figure that calls it so: "dashed", "dot", "ring" and the like;
- a note at one of its points, or the name of the tick that its points are at.
"""

import re
from collections import defaultdict

import numpy as np
from drawn_axes import are_partners, axis_of, is_name
from drawn_series import looks_of, scale_of, series_of
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.legend import Legend
from matplotlib.text import Annotation, Text

WORDS = {
    "solid": ("solid",),
    "dashed": ("dashed",),
    "dotted": ("dotted",),
    "dash-dotted": ("dash-dotted",),
    "dots": ("dot", "point", "filled", "●"),
    "rings": ("ring", "circle", "open", "points", "○"),
    "D": ("diamond",),
    "x": ("cross",),
    "|": ("bar",),
    "^": ("▲", "triangle"),
    "s": ("□", "square"),
    "contours": ("contour",),
    "band": ("band", "±"),
    "bars": ("bar",),
}
CLOSE = 3.0  # pixels between a note's anchor and a point that it is a note on


def unnamed(figure):
    """The series that nothing names, as a list of sentences."""
    shown = [axes for axes in figure.findobj(Axes) if axes.get_visible()]
    said, found = _Said(figure, shown), []
    for axes in shown:
        by_colour = defaultdict(list)
        for series in series_of(axes):
            by_colour[series.colour].append(series)
        names = _Names(said, axes, shown)
        for colour, group in by_colour.items():
            others = [s for c, of in by_colour.items() if c != colour for s in of]
            missing = _missing(names, colour, group, others)
            if missing:
                where = axes.get_title() or axes.get_title(loc="left")
                look = " and ".join(sorted(missing))
                found.append(f"nothing names {look} in {_word(colour)} of {where!r}")
    return found


def _missing(names, colour, group, others):
    """The styles of one colour that have no name."""
    by_style = defaultdict(list)
    for series in group:
        by_style[series.style].append(series)
    rest = {s for s, of in by_style.items() if not names.style(s, colour, of)}
    alone = all(isinstance(s.colour[0], float) and _is_grey(s.colour) for s in others)
    spare = names.spare(colour, group, by_style) + (alone and names.is_titled)
    if spare or names.has_entry(colour) or all(map(names.has_place, group)):
        return rest if len(rest) > spare else set()
    return rest | (by_style.keys() & {s.style for s in others})


class _Said:
    """What a figure says of its series, wherever in it.

    Attributes:
        entries: (colour, style) of each entry of a legend.
        scales: The colours and limits that a colour bar shows.
    """

    def __init__(self, figure, shown):
        self._text = " ".join(t.get_text() for t in figure.findobj(Text)).lower()
        self.entries = [
            look
            for legend in figure.findobj(Legend)
            for handle in legend.legend_handles
            for look in looks_of(handle)
            if look[1] is not None
        ]
        self.scales = {
            scale_of(mappable)
            for axes in shown
            for mappable in (*axes.collections, *axes.images)
            if getattr(mappable, "colorbar", None) is not None
        }

    def says(self, word):
        """Whether a text of the figure has this word, or its plural."""
        is_word = word.isalpha()
        end = r"s?\b" if is_word else ""
        return bool(re.search(r"\b" * is_word + re.escape(word) + end, self._text))


class _Names:
    """What of a figure names the series of one of its axes."""

    def __init__(self, said, axes, shown):
        here = axes.get_position().bounds
        # Axes of the same place are there to hold the words of others.
        over = [a for a in shown if np.allclose(a.get_position().bounds, here)]
        self._axes = axes
        top = axes.get_window_extent().y1
        # What stands above the axes is a heading.
        self._near = [
            t
            for a in over
            for t in a.texts
            if _is_said(t) and t.get_window_extent().y0 < top
        ]
        self._titles = [
            t
            for t in (axes.title, axes._left_title, axes._right_title)
            if _is_said(t) and not _is_grey(to_rgb(t.get_color()))
        ]
        self.is_titled = any(
            _is_said(t) for t in (axes.title, axes._left_title, axes.yaxis.label)
        )
        self._said = said
        self._names_of_ticks = _names_of_ticks(axes, shown)

    def has_entry(self, colour):
        """Whether an entry of a legend has this colour."""
        return any(_same(one, colour) for one, _ in self._said.entries)

    def spare(self, colour, group, styles):
        """How many names of a colour there are, but those that tell of a style."""
        if isinstance(colour[0], str):
            return int(colour in self._said.scales)
        texts = [t for t in self._near if not any(map(self._note_on(t), group))]
        same = [_same(to_rgb(t.get_color()), colour) for t in texts + self._titles]
        entries = [
            _same(one, colour)
            for one, style in self._said.entries
            if style not in styles
        ]
        return sum(same) + sum(entries) + self._said.says(_word(colour))

    def style(self, style, colour, group):
        """Whether a style has a name: of this colour, or for all colours."""
        if style in ("map", "labelled"):
            return style == "labelled" or colour in self._said.scales
        if any(map(self._said.says, WORDS.get(style, ()))):
            return True
        entry = any(
            style == one and (_same(of, colour) or _is_grey(of))
            for of, one in self._said.entries
        )
        return entry or all(map(self.has_place, group))

    def has_place(self, series):
        """Whether a note is on one of its points, or a name at the tick of them all."""
        points = series.points[np.isfinite(series.points).all(axis=1)]
        return any(self._note_on(text)(series) for text in self._near) or any(
            len(points) and np.all(np.abs(points[:, side] - place) < reach)
            for side, place, reach in self._names_of_ticks
        )

    def _note_on(self, text):
        """A function that tells whether `text` is a note on a point of a series.

        A note is pinned to the point, or, on a single point, to its place along x.
        """
        coords = text.xycoords if isinstance(text, Annotation) else None
        if coords == "data":
            sides = [0, 1]
        elif coords == ("data", "axes fraction"):
            sides = [0]
        else:
            return lambda series: False
        at = self._axes.transData.transform(text.xy)[sides]

        def is_on(series):
            if len(sides) == 1 and len(series.points) > 1:
                return False
            return bool(np.any(np.abs(series.points[:, sides] - at).max(1) < CLOSE))

        return is_on


def _names_of_ticks(axes, shown):
    """(0 or 1 for x or y, place in pixels, reach) of each tick that has a name."""
    found = []
    for side, name in enumerate("xy"):
        partners = [other for other in shown if are_partners(axes, other, name)]
        ticks = [
            tick
            for other in partners
            for tick in axis_of(other, name).get_major_ticks()
            if is_name(tick.label1.get_text())
        ]
        points = np.zeros((len(ticks), 2))
        points[:, side] = [tick.get_loc() for tick in ticks]
        # The other coordinate is any that the axes have.
        points[:, 1 - side] = (axes.get_ylim(), axes.get_xlim())[side][0]
        places = axes.transData.transform(points)[:, side] if ticks else []
        gaps = np.diff(np.unique(places))
        reach = 0.45 * gaps.min() if len(gaps) else np.inf
        found += [(side, place, reach) for place in places]
    return found


def _is_said(text):
    return text.get_visible() and bool(text.get_text().strip())


def _same(one, other):
    """Whether two colours are one; the name of a map is none."""
    return not isinstance(other[0], str) and all(
        abs(a - b) < 0.02 for a, b in zip(one, other, strict=True)
    )


def _is_grey(colour):
    return max(colour) - min(colour) < 0.05


def _word(colour):
    """A colour in words, or as it is written for the web."""
    if isinstance(colour[0], str):
        return f"the colours of {colour[0]}"
    if not _is_grey(colour):
        return "#" + "".join(f"{round(255 * part):02x}" for part in colour)
    return "white" if min(colour) > 0.95 else "black" if max(colour) < 0.25 else "grey"
