"""A bar on a terminal: how far the work has come, and how long it will still take."""

import contextlib

from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn


@contextlib.contextmanager
def progress_bar(console, description):
    """A function that moves a bar, which vanishes in the end.

    Args:
        console: A rich console, on a terminal.
        description: What stands before the bar at first.

    Yields:
        A function of (description, completed, total, note); the note stands behind it.
    """
    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=None),
        TextColumn("{task.fields[note]}"),
        TimeRemainingColumn(compact=True, elapsed_when_finished=True),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task(description, total=None, note="")

        def show(description, completed, total, note):
            progress.update(
                task,
                description=description,
                completed=completed,
                total=total,
                note=note,
            )

        yield show
