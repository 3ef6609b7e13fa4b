"""A picture in text: lines of Braille dots, two across and four up in a character."""

import textwrap
from typing import NamedTuple

import numpy as np

# The bits of the dots of a character, from its upper left downwards and to the right.
BITS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
BLANK = 0x2800
# Less is no plot; then there are the numbers alone.
MIN_WIDTH, MIN_HEIGHT = 30, 7


class Piece(NamedTuple):
    """Some characters that look alike.

    Attributes:
        text: The characters.
        role: "training", "validation", "title" or "faint".
    """

    text: str
    role: str


def text_plot(picture, width, height):
    """The picture as `height` lines, none longer than `width`.

    Args:
        picture: A `Picture`.
        width: Characters.
        height: Lines. With fewer than 7 there are the numbers alone, in one line.

    Returns:
        A list of lines, each a list of `Piece`.
    """
    numbers = [Piece(shortened(picture.numbers, width), "title")]
    if width < MIN_WIDTH or height < MIN_HEIGHT:
        return [numbers]
    words = textwrap.wrap(picture.sentence, width, max_lines=2, placeholder=" …")
    rows = height - 3 - len(words)
    labels = [
        f"{picture.value_at(1 - (row + 0.5) / rows):.3g}" if shown else ""
        for row, shown in enumerate(_labelled(rows))
    ]
    margin = max(map(len, labels)) + 1
    across = width - margin - 1
    lines = [numbers]
    for label, cells in zip(labels, _canvas(picture, across, rows), strict=True):
        axis = Piece(
            f"{label:>{margin - 1}} ┤" if label else " " * margin + "│", "faint"
        )
        lines.append([axis, *cells])
    lines.append([Piece(" " * margin + "└" + "─" * across, "faint")])
    lines.append(_foot(picture, margin, across))
    return lines + [[Piece(line, "faint")] for line in words]


def shortened(text, width):
    """`text` with its end left out if it is too long."""
    return text if len(text) <= width else text[: max(width - 1, 0)] + "…"


def _labelled(rows):
    """Which rows have a number beside them: the first, the last, and some between."""
    step = max((rows - 1) // 3, 1)
    return [row % step == 0 and (row == 0 or rows - row >= step) for row in range(rows)]


def _foot(picture, margin, across):
    """The epochs under the axis, and which line is which."""
    left, right = (
        f"{limit:g}" for limit in (max(picture.x_limits[0], 0), picture.x_limits[1])
    )
    legend = [Piece("epoch   ", "faint")]
    legend += [Piece(f"━ {line.name}  ", line.name) for line in picture.lines]
    if picture.log:
        legend.append(Piece("(log)", "faint"))
    room = across - len(left) - len(right)
    length = sum(len(piece.text) for piece in legend)
    if length + 2 > room:
        legend, length = [], 0
    before = (room - length) // 2
    after = room - length - before
    return [
        Piece(" " * (margin + 1) + left + " " * before, "faint"),
        *legend,
        Piece(" " * after + right, "faint"),
    ]


def _canvas(picture, width, rows):
    """The lines of the plot as `rows` lists of pieces, each `width` characters long."""
    dots = np.zeros((rows, width), dtype=int)
    owner = np.full((rows, width), -1)
    for index, line in enumerate(picture.lines):
        across, up = picture.places(line)
        for x, y in _points(across, up, 2 * width, 4 * rows):
            dots[y // 4, x // 2] |= BITS[y % 4][x % 2]
            owner[y // 4, x // 2] = index
    return [
        list(_pieces(picture, row, who)) for row, who in zip(dots, owner, strict=True)
    ]


def _pieces(picture, row, who):
    """A row of characters, cut where the colour changes."""
    cuts = np.flatnonzero(np.diff(who)) + 1
    for part in np.split(np.arange(len(row)), cuts):
        index = who[part[0]]
        role = "faint" if index < 0 else picture.lines[index].name
        text = "".join(chr(BLANK + bits) if bits else " " for bits in row[part])
        yield Piece(text, role)


def _points(across, up, width, height):
    """The dots of a line: every column of dots on its way, and what lies between."""
    drawn = np.isfinite(across) & np.isfinite(up)
    x = np.clip(np.round(across * (width - 1)), 0, width - 1)
    y = np.clip(np.round((1 - up) * (height - 1)), 0, height - 1)
    for index in np.flatnonzero(drawn):
        yield int(x[index]), int(y[index])
        if index + 1 < len(x) and drawn[index + 1]:
            count = int(max(abs(x[index + 1] - x[index]), abs(y[index + 1] - y[index])))
            for step in range(1, count):
                share = step / count
                yield (
                    round(x[index] + share * (x[index + 1] - x[index])),
                    round(y[index] + share * (y[index + 1] - y[index])),
                )
