"""What the command line shows of an experiment: its progress, and its result."""

import contextlib

from rich.console import Console, Group

from keras_decay.experiments._findings import file_names
from keras_decay.ground import tables
from keras_decay.ground.progress import progress_bar


class Terminal:
    """Writes results to standard output, and progress to standard error."""

    def __init__(self):
        # Neither guesses: no number is coloured, no word taken for markup.
        self.out = Console(highlight=False, markup=False)
        self.err = Console(highlight=False, markup=False, stderr=True)

    @contextlib.contextmanager
    def progress(self):
        """A function of what is at work, how much is done, of how much, and a note.

        On a terminal it moves a bar; elsewhere it writes a line whenever something else
        is at work.
        """
        if self.err.is_terminal:
            with progress_bar(self.err, "loading") as bar:
                yield lambda what, done, total, note="": bar(what, done, total, note)
            return
        last = None

        def line(what, done, total, note=""):
            nonlocal last
            if what != last:
                self.err.print(what, soft_wrap=True)
            last = what

        yield line

    def findings(self, found, folder):
        """The tables, the sentences, and where the files are."""
        for each in found.tables:
            self.out.print(grid_of(each))
        for sentence in found.sentences:
            self.out.print(f"• {sentence}", soft_wrap=not self.out.is_terminal)
        names = ", ".join(file_names(found.drawings))
        text = f"\n{found.seconds:.0f} s on {found.device['name']}. In {folder}/:"
        self.out.print(f"{text} {names}.", soft_wrap=True)

    def report(self, result, folder):
        """The table, one sentence per arm, and where the files are."""
        self.out.print(table(result))
        for sentence in result.sentences():
            self.out.print(f"• {sentence}", soft_wrap=not self.out.is_terminal)
        names = "diabetes.png, diabetes.svg, results.json and the curves"
        if result.tuning is not None:
            names = f"diabetes-tuning.png, {names}"
        text = f"\n{result.seconds:.0f} s on {result.device['name']}. In {folder}/:"
        self.out.print(f"{text} {names}.", soft_wrap=True)


def grid_of(each):
    """A rich table of a `Table`, its title above and its note below."""
    columns = []
    for index, name in enumerate(each.columns):
        words = any(isinstance(row[index], str) for row in each.rows)
        columns.append(tables.Column(name, is_number=not words, wraps=True))
    grid = tables.grid(columns, each.text(), edge=True)
    parts = [each.title] if each.title else []
    parts.append(grid)
    if each.note:
        parts.append(each.note + "\n")
    return Group(*parts)


def table(result):
    """A rich table of the result's summaries, within 80 columns."""
    several = len(result.seeds) > 1
    digits = 2 if several else 3
    names = ("best\nepoch", "valid.\nerror", "test\nerror", "gap")
    columns = [
        tables.Column("arm"),
        *(tables.Column(name, is_number=True) for name in names),
        tables.Column("verdict"),
    ]
    rows = []
    for row in result.table():
        best = row.best_epoch.text(0) if row.best_epoch else "-"
        errors = (row.validation_loss, row.test_loss, row.gap)
        numbers = (error.text(digits) for error in errors)
        rows.append([row.name, best, *numbers, row.verdict or "-"])
    grid = tables.grid(columns, rows, edge=True)
    note = (
        "error: mean squared error on the data after training, where the target has a\n"
        "variance of 1 in training; gap: validation − training error"
    )
    return Group(grid, note + ("; mean ± sd over seeds\n" if several else "\n"))
