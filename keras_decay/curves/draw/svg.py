"""A picture as an SVG, in about a millisecond: matplotlib takes a hundred times that.

For pictures that are drawn again and again while training runs.
"""

import textwrap
from xml.sax.saxutils import escape

import numpy as np

from keras_decay.curves.draw.picture import round_numbers
from keras_decay.ground import looks

WIDTH, HEIGHT = 620, 380
LEFT, RIGHT, BOTTOM = 64, 86, 40
FONT = "Helvetica, Arial, 'DejaVu Sans', sans-serif"
COLOURS = {"training": looks.TRAINING, "validation": looks.VALIDATION}
DASHES = {"training": ' stroke-dasharray="7 3"', "validation": ""}
# Letters of 13 pixels are about this wide.
LETTER = 6.3


def svg(picture):
    """The text of an SVG file.

    Args:
        picture: A `Picture`, or None before the first epoch.
    """
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" '
        f'viewBox="0 0 {WIDTH} {HEIGHT}" font-family="{FONT}" font-size="13">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
    ]
    if picture is None:
        parts.append(_text(20, 34, "Waiting for the first epoch …", looks.FAINT))
    else:
        parts += _parts(picture)
    return "\n".join([*parts, "</svg>"])


def _parts(picture):
    title = picture.label[:1].upper() + picture.label[1:]
    yield _text(LEFT, 24, title, looks.INK, ' font-weight="bold" font-size="16"')
    words = [picture.numbers, *_wrapped(picture.sentence)]
    for index, line in enumerate(words):
        colour = looks.INK if index == 0 else looks.FAINT
        yield _text(LEFT, 44 + 17 * index, line, colour)
    top = 44 + 17 * len(words) + 8
    frame = _Frame(top)
    if picture.onset is not None:
        x = frame.x(picture, picture.onset)
        yield (
            f'<rect x="{x:.1f}" y="{top}" width="{WIDTH - RIGHT - x:.1f}" '
            f'height="{frame.height}" fill="{looks.VALIDATION}" opacity="0.07"/>'
        )
    for value, share in picture.ticks():
        y = frame.bottom - share * frame.height
        yield _line(LEFT, y, WIDTH - RIGHT, y, looks.GRID)
        yield _text(LEFT - 6, y + 4, f"{value:g}", looks.FAINT, _END)
    for epoch in _epochs(*picture.x_limits):
        x = frame.x(picture, epoch)
        yield _line(x, top, x, frame.bottom, looks.GRID)
        middle = ' text-anchor="middle"'
        yield _text(x, frame.bottom + 16, f"{epoch:g}", looks.FAINT, middle)
    yield _line(LEFT, top, LEFT, frame.bottom, looks.FRAME)
    yield _line(LEFT, frame.bottom, WIDTH - RIGHT, frame.bottom, looks.FRAME)
    yield _text(
        (LEFT + WIDTH - RIGHT) / 2,
        HEIGHT - 8,
        "epoch",
        looks.INK,
        ' text-anchor="middle"',
    )
    if picture.best is not None:
        x = frame.x(picture, picture.best)
        dots = ' stroke-dasharray="1.5 2.5"'
        yield _line(x, top, x, frame.bottom, looks.FAINT, dots)
    yield from _curves(picture, frame)


class _Frame:
    """The rectangle in which the lines are."""

    def __init__(self, top):
        self.top, self.bottom = top, HEIGHT - BOTTOM
        self.height = self.bottom - top
        self.width = WIDTH - LEFT - RIGHT

    def x(self, picture, epoch):
        low, high = picture.x_limits
        return LEFT + self.width * (epoch - low) / (high - low)


_END = ' text-anchor="end"'


def _curves(picture, frame):
    ends = []
    for line in picture.lines:
        across, up = picture.places(line)
        x, y = LEFT + frame.width * across, frame.bottom - frame.height * up
        drawn = np.isfinite(y)
        # Where values are missing the line is broken.
        pieces = np.split(np.arange(len(y)), np.flatnonzero(~drawn))
        for piece in pieces:
            piece = piece[drawn[piece]]
            points = " ".join(
                f"{a:.1f},{b:.1f}" for a, b in zip(x[piece], y[piece], strict=True)
            )
            if len(piece) == 1:
                yield (
                    f'<circle cx="{x[piece[0]]:.1f}" cy="{y[piece[0]]:.1f}" r="3" '
                    f'fill="{COLOURS[line.name]}"/>'
                )
            elif len(piece):
                yield (
                    f'<polyline points="{points}" fill="none" stroke-width="2.2" '
                    f'stroke-linejoin="round" stroke="{COLOURS[line.name]}"'
                    f"{DASHES[line.name]}/>"
                )
        if drawn.any():
            ends.append((frame.bottom - y[drawn][-1], line.name))
    ends.sort()
    places = looks.spread([height for height, _ in ends], 16, 0, frame.height)
    for place, (_, name) in zip(places, ends, strict=True):
        y = frame.bottom - place + 4
        yield _text(WIDTH - RIGHT + 8, y, name, COLOURS[name])


def _epochs(low, high):
    """Whole epochs for the horizontal axis."""
    numbers = round_numbers(max(low, 0.0), high, 6)
    return [number for number in numbers if number == int(number)]


def _wrapped(text):
    return textwrap.wrap(text, int((WIDTH - LEFT - 12) / LETTER))


def _text(x, y, text, colour, more=""):
    return f'<text x="{x:.1f}" y="{y:.1f}" fill="{colour}"{more}>{escape(text)}</text>'


def _line(x1, y1, x2, y2, colour, more=""):
    return (
        f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" '
        f'stroke="{colour}"{more}/>'
    )
