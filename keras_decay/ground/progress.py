"""A progress bar on a terminal, with the time that is left."""

import contextlib

from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn


@contextlib.contextmanager
def progress_bar(console, description):
    """Show a bar, which vanishes at the end, and yield a function that moves it.

    Args:
        console: A rich console, on a terminal.
        description: The text before the bar at first.

    Yields:
        A function of (description, completed, total, note); the note follows the bar.
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
