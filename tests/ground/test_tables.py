"""Tables as text: what fits, what is left out, what is cut off."""

import pytest
from rich.cells import cell_len

from keras_decay.ground.tables import Column, keep_end, text_table

PATHS = ["encoder/attention/query/kernel", "head/bias"]
COLUMNS = [
    Column("path"),
    Column("shape", rank=2),
    Column("λ", is_number=True),
    Column("note", most=6, rank=1),
]
ROWS = [[PATHS[0], "8×4", "0.25", "as promised"], [PATHS[1], "4", "10", ""]]


def test_a_table_as_wide_as_it_is():
    assert text_table(COLUMNS, ROWS).splitlines() == [
        "path                            shape     λ  note",
        "─" * 51,
        "encoder/attention/query/kernel  8×4    0.25  as pr…",
        "head/bias                       4        10",
    ]


@pytest.mark.parametrize(
    ("width", "titles"),
    [(60, "path shape λ note"), (30, "path λ note"), (24, "path λ")],
)
def test_columns_leave_by_rank_and_the_first_is_cut(width, titles):
    lines = text_table(COLUMNS, ROWS, width).splitlines()
    assert max(map(len, lines)) <= width
    assert lines[0].split() == titles.split()
    first = lines[2].split()[0]
    assert PATHS[0].endswith(first.removeprefix("…"))
    assert first == PATHS[0] or first.startswith("…")
    assert "0.25" in lines[2]


def test_wide_characters_take_two_columns():
    lines = text_table([Column("名"), Column("n")], [["損失の頭", "1"], ["a", "2"]])
    places = [
        cell_len(line[: line.index(n)])
        for line, n in zip(lines.splitlines()[2:], "12", strict=True)
    ]
    assert places == [10, 10]


def test_what_wraps_goes_on_below():
    columns = [Column("path"), Column("words", wraps=True)]
    lines = text_table(columns, [["a" * 20, "one two three four"]], 26).splitlines()
    assert len(lines) == 4 and max(map(len, lines)) <= 26
    words = " ".join(line[14:] for line in lines[2:])
    assert words.split() == ["one", "two", "three", "four"]


def test_cells_are_no_markup():
    cells = ["[bold]kernel[/bold]", ":smile:"]
    line = text_table([Column("a"), Column("b")], [cells]).splitlines()[-1]
    assert line.split() == cells


def test_the_end_of_a_path_is_kept():
    assert keep_end("a/kernel", 8) == "a/kernel"
    assert keep_end("layer/kernel", 8) == "…/kernel"
    assert keep_end("損失/頭", 6) == "…失/頭"
    assert cell_len(keep_end("損失の頭", 4)) <= 4
