"""Reads a drawn figure as its reader does, and returns what is wrong with it.

`faults(figure)` draws the figure by matplotlib's Agg renderer and checks

- that no two texts overlap, and none is cut off by the canvas or by a clip;
- that every axis with ticks has two labelled ones;
- that every series has a name (`drawn_names`).
"""

from itertools import combinations
from typing import NamedTuple

import numpy as np
from drawn_axes import unlabelled
from drawn_names import unnamed
from matplotlib.backends.backend_agg import FigureCanvasAgg, RendererAgg

# Agg places texts at whole pixels, so that a box is known to half of one.
ROUNDING = 0.5


class Line(NamedTuple):
    """A line of text as it was drawn.

    Attributes:
        text: What it says.
        artist: The number of the text that it is a line of.
        corners: Its corners in pixels from the lower left of the canvas, (4, 2).
        clip: The rectangle (x0, y0, x1, y1) outside which it is not drawn, or None.
    """

    text: str
    artist: int
    corners: np.ndarray
    clip: tuple | None


class _Recorder(RendererAgg):
    """Measures as Agg does, and keeps an account of the texts; it paints nothing."""

    def __init__(self, width, height, dpi):
        super().__init__(width, height, dpi)
        self.lines = []
        self._artist = 0

    def open_group(self, s, gid=None):
        self._artist += s == "text"

    def _nothing(self, *arguments, **options):
        pass

    draw_path = draw_markers = draw_path_collection = draw_quad_mesh = _nothing
    draw_image = draw_gouraud_triangles = _nothing

    def draw_text(self, gc, x, y, s, prop, angle, ismath=False, mtext=None):
        if not s.strip() or gc.get_alpha() == 0 or gc.get_rgb()[3] == 0:
            return
        width, height, descent = self.get_text_width_height_descent(s, prop, ismath)
        # A line is as high as its type at least: so matplotlib lays out texts.
        _, least, below = self.get_text_width_height_descent("lp", prop, False)
        bottom = -max(descent, below)
        top = bottom + max(height, least)
        box = np.array([(0, bottom), (width, bottom), (width, top), (0, top)])
        cos, sin = np.cos(np.radians(angle)), np.sin(np.radians(angle))
        corners = box @ np.array([(cos, sin), (-sin, cos)]) + (x, self.height - y)
        clip = gc.get_clip_rectangle()
        self.lines.append(
            Line(s, self._artist, corners, None if clip is None else clip.extents)
        )


def lines_of(figure, dpi=None):
    """Every line of text that is drawn, as a list of `Line`.

    Args:
        figure: A matplotlib figure.
        dpi: Pixels per inch; the figure's own by default.
    """
    before = figure.dpi
    FigureCanvasAgg(figure)
    figure.set_dpi(before if dpi is None else dpi)
    width, height = figure.bbox.size
    recorder = _Recorder(width, height, figure.dpi)
    try:
        figure.draw(recorder)
    finally:
        figure.set_dpi(before)
    return [line for line in recorder.lines if _share_inside(line) > 0]


def faults(figure, dpi=None):
    """What is wrong with a figure: a list of sentences, empty if nothing is.

    Args:
        figure, dpi: As of `lines_of`.
    """
    lines = lines_of(figure, dpi)
    width, height = figure.get_size_inches() * (figure.dpi if dpi is None else dpi)
    return [
        *overlapping(lines),
        *cut_off(lines, (width, height)),
        *unlabelled(figure),
        *unnamed(figure),
    ]


def overlapping(lines):
    """The pairs of lines that lie over one another."""
    boxes = np.array(
        [(*one.corners.min(axis=0), *one.corners.max(axis=0)) for one in lines]
    )
    return [
        f"{one.text!r} and {other.text!r} overlap"
        for (i, one), (j, other) in combinations(enumerate(lines), 2)
        if one.artist != other.artist
        and np.all(boxes[i, :2] < boxes[j, 2:])
        and np.all(boxes[j, :2] < boxes[i, 2:])
        and not _apart(one.corners, other.corners)
    ]


def _apart(one, other):
    """Whether a straight line parts two rectangles: along a side of one, if any."""
    for side in (one[1] - one[0], one[3] - one[0], other[1] - other[0]):
        length = np.hypot(*side)
        if not length:
            return True
        a, b = one @ side / length, other @ side / length
        if min(a.max() - b.min(), b.max() - a.min()) <= 2 * ROUNDING:
            return True
    side = other[3] - other[0]
    a, b = (points @ side / np.hypot(*side) for points in (one, other))
    return min(a.max() - b.min(), b.max() - a.min()) <= 2 * ROUNDING


def cut_off(lines, size):
    """The lines that leave the canvas of `size` pixels, or their clip."""
    found = []
    for line in lines:
        low, high = line.corners.min(axis=0), line.corners.max(axis=0)
        if _share_inside(line) < 1:
            found.append(f"{line.text!r} is cut off")
        elif np.any(low < -ROUNDING) or np.any(high > np.add(size, ROUNDING)):
            found.append(f"{line.text!r} leaves the canvas")
    return found


def _share_inside(line):
    """The share of a line's box that its clip leaves."""
    if line.clip is None:
        return 1.0
    x0, y0, x1, y1 = line.clip
    low, high = line.corners.min(axis=0), line.corners.max(axis=0)
    kept = np.minimum(high, (x1, y1)) - np.maximum(low, (x0, y0))
    if np.all(kept >= high - low - ROUNDING):
        return 1.0
    return float(np.prod(np.maximum(kept, 0) / np.maximum(high - low, 1e-9)))
