"""Tables as text. rich lays them out, as it knows how wide a character is."""

import io
from typing import NamedTuple

GAP = 2  # blanks between two columns
SHORTEST, SHORT = 12, 24  # of the first column, on a narrow and on a wide terminal


class Column(NamedTuple):
    """A column of a table.

    Attributes:
        title: What stands above it.
        is_number: Whether its cells stand to the right.
        most: The largest width of its cells; longer ones are cut off.
        rank: Where space is short the columns of the highest rank are left out first;
            those of rank 0 stay.
        wraps: Whether a long cell goes on in a second line.
    """

    title: str
    is_number: bool = False
    most: int | None = None
    rank: int = 0
    wraps: bool = False


def text_table(columns, rows, width=None):
    """A table as lines of text.

    Where space is short, columns are left out by their rank; then the first column is
    shortened at its beginning, since paths differ at their end.

    Args:
        columns: A list of `Column`.
        rows: Lists of texts, one for each column.
        width: The largest width of a line; None for as much as it takes.

    Returns:
        A text without a line feed at its end.
    """
    from rich.console import Console

    cells = [[row[i] for row in rows] for i in range(len(columns))]
    sizes = [_size(*pair) for pair in zip(columns, cells, strict=True)]
    if width is not None:
        least = min(sizes[0], max(SHORTEST, min(SHORT, width - 52)))
        kept = _kept(columns, sizes, width - least)
        room = width - sum(sizes[i] + GAP for i in kept)
        first = max(least, min(sizes[0], room))
        columns = [columns[0], *(columns[i] for i in kept)]
        rows = [[keep_end(row[0], first), *(row[i] for i in kept)] for row in rows]
    else:
        width = sum(sizes) + GAP * len(sizes)
    file = io.StringIO()
    console = Console(
        file=file,
        width=width,
        color_system=None,
        markup=False,
        emoji=False,
        highlight=False,
        force_jupyter=False,
        force_terminal=False,
    )
    console.print(grid(columns, rows))
    return "\n".join(line.rstrip() for line in file.getvalue().splitlines())


def grid(columns, rows, *, edge=False):
    """The rich `Table` of some rows: the look that every table has.

    Args:
        columns, rows: See `text_table`.
        edge: Whether there is a blank on each side, and a blank line above and below.
    """
    from rich import box
    from rich.table import Table

    table = Table(
        box=box.SIMPLE_HEAD, show_edge=edge, collapse_padding=True, pad_edge=False
    )
    for column in columns:
        table.add_column(
            column.title,
            justify="right" if column.is_number else "left",
            max_width=column.most,
            no_wrap=not column.wraps,
            overflow="fold" if column.wraps else "ellipsis",
        )
    for row in rows:
        table.add_row(*row)
    return table


def keep_end(text, width):
    """`text` within `width` columns of a terminal; its beginning is cut off."""
    from rich.cells import cell_len

    if cell_len(text) <= width:
        return text
    start = 0
    while cell_len(text[start:]) > width - 1:
        start += 1
    return "…" + text[start:]


def _size(column, cells):
    from rich.cells import cell_len

    size = max(map(cell_len, [column.title, *cells]))
    return size if column.most is None else min(size, column.most)


def _kept(columns, sizes, room):
    """The numbers of the columns after the first that there is room for."""
    kept = list(range(1, len(columns)))
    while kept and sum(sizes[i] + GAP for i in kept) > room:
        last = max(kept, key=lambda i: columns[i].rank)
        if columns[last].rank == 0:
            break
        kept.remove(last)
    return kept
