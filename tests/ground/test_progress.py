"""The progress bar: what it shows, and that nothing of it is left."""

import io

import pytest
from rich.console import Console

from keras_decay.ground.progress import progress_bar


def terminal(width=60):
    return Console(file=io.StringIO(), force_terminal=True, width=width)


def test_the_bar_shows_the_work_and_its_note():
    console = terminal()
    with progress_bar(console, "waiting") as show:
        show("training", 3, 10, "3/10 folds")
        console.print("a line above the bar")
    written = console.file.getvalue()
    assert "training" in written and "3/10 folds" in written
    assert "a line above the bar" in written


def test_the_bar_vanishes_at_the_end():
    console = terminal()
    with progress_bar(console, "training") as show:
        show("training", 10, 10, "10/10")
    written = console.file.getvalue()
    cleared = written.rindex("\x1b[2K")  # the line of the bar
    assert "training" in written[:cleared]
    assert "training" not in written[cleared:]


def test_the_bar_vanishes_after_an_exception():
    console = terminal()
    with pytest.raises(KeyboardInterrupt), progress_bar(console, "training"):
        raise KeyboardInterrupt
    assert "training" not in console.file.getvalue().rpartition("\x1b[2K")[2]


def test_nothing_is_drawn_where_there_is_no_terminal():
    console = Console(file=io.StringIO(), width=60)
    with progress_bar(console, "training") as show:
        show("training", 1, 2, "1/2")
    assert "\x1b" not in console.file.getvalue()
