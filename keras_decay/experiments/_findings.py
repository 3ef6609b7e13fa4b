"""What an experiment has found: tables, sentences and figures, and how they are kept.

An experiment is a module of this package with

- `NAME`, that of its command, and `TITLE`, a line that says what it shows;
- `FIGURES`, the names of its figures without suffix, the one that matters first;
- `run(*, seed=0, quick=False, progress=None)`, which returns `Findings`. `quick` does
  the same on a smaller scale, in seconds; `progress` is called with what is at work,
  how much is done, and of how much.
"""

import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from keras_decay.experiments import LARGEST_SEED, _device
from keras_decay.experiments._drawing import save_figures
from keras_decay.experiments._output import RESULTS, finite
from keras_decay.ground import validation


@dataclass(frozen=True)
class Table:
    """A table of an experiment.

    Args:
        columns: The columns' names.
        rows: One tuple per row: texts, numbers, or None for what is not there.
        title: What stands above it.
        note: What must be known to read it, below it.
    """

    columns: tuple
    rows: tuple
    title: str = ""
    note: str = ""

    def text(self):
        """The rows as texts: numbers to three digits, "-" for None."""
        return [[cell(value) for value in row] for row in self.rows]

    def to_dataframe(self):
        """The table as a `pandas.DataFrame`."""
        import pandas as pd

        return pd.DataFrame(list(self.rows), columns=list(self.columns))


def cell(value):
    """One entry of a table as text."""
    if value is None:
        return "-"
    if isinstance(value, (bool, np.bool_)):
        return "yes" if value else "no"
    if isinstance(value, (float, np.floating)):
        return f"{value:.3g}"
    return str(value)


@dataclass(frozen=True)
class Findings:
    """The result of an experiment.

    Attributes:
        name: The experiment's.
        arguments: What `run` was called with.
        tables: The `Table`s.
        sentences: What they say, in words.
        numbers: All numbers that tables and figures rest on: what JSON can hold, and
            NumPy arrays.
        drawings: name of a figure: the function that draws it.
        seconds: How long it took.
        backend, device, versions: What it ran on.
    """

    name: str
    arguments: dict
    tables: tuple
    sentences: tuple
    numbers: dict
    drawings: dict[str, Callable[[], Any]] = field(repr=False)
    seconds: float
    backend: str
    device: dict
    versions: dict

    def draw(self, name=None):
        """A figure as a new `matplotlib.figure.Figure`; by default the main one."""
        names = list(self.drawings)
        if name is None:
            name = names[0]
        return self.drawings[validation.choice("name", name, names)]()

    def as_json(self):
        """Everything but the figures, as JSON can hold it."""
        return finite(
            {
                "experiment": self.name,
                "arguments": self.arguments,
                "device": self.device,
                "backend": self.backend,
                "versions": self.versions,
                "seconds": self.seconds,
                "tables": [asdict(table) for table in self.tables],
                "sentences": list(self.sentences),
                "numbers": self.numbers,
                "files": file_names(self.drawings),
            }
        )

    def save(self, folder):
        """Write figures and numbers into `folder`, which must exist.

        Returns:
            The paths of the files, whose names are those of `file_names`.
        """
        folder = Path(folder).expanduser()
        figures = {name: draw() for name, draw in self.drawings.items()}
        save_figures(figures, folder, salt=self.name)
        text = json.dumps(self.as_json(), indent=2, ensure_ascii=False, allow_nan=False)
        (folder / RESULTS).write_text(text + "\n", encoding="utf-8")
        return [folder / name for name in file_names(self.drawings)]


def file_names(figures):
    """The names of the files of an experiment with figures of these names."""
    pictures = [f"{name}.{suffix}" for name in figures for suffix in ("png", "svg")]
    return [*pictures, RESULTS]


class Recorder:
    """Begins an experiment: checks its arguments, keeps the time, tells the progress.

    Args:
        name: The experiment's.
        seed: A whole number of at least 0.
        quick: True or False.
        progress: A function of (what, done, total), or None.

    Raises:
        TypeError, ValueError: If an argument is none of the above.
    """

    def __init__(self, name, seed, quick, progress):
        seed = validation.integer("seed", seed, minimum=0)
        if seed > LARGEST_SEED:
            raise ValueError(
                validation.received("seed", seed, f"at most {LARGEST_SEED}")
            )
        if not isinstance(quick, bool):
            raise TypeError(validation.received("quick", quick, "True or False"))
        if progress is not None and not callable(progress):
            must = "a function of (what, done, total), or None"
            raise TypeError(validation.received("progress", progress, must))
        self._name, self._arguments = name, {"seed": seed, "quick": quick}
        self._progress = progress
        self._start = time.perf_counter()

    def at(self, what, done, total):
        """Tell what is at work, and that `done` of `total` is finished."""
        if self._progress is not None:
            self._progress(what, done, total)

    def findings(self, *, tables, sentences, numbers, drawings):
        """The `Findings`, with what they were found on."""
        return Findings(
            name=self._name,
            arguments=self._arguments,
            tables=tuple(tables),
            sentences=tuple(sentences),
            numbers=numbers,
            drawings=drawings,
            seconds=time.perf_counter() - self._start,
            backend=_device.backend_name(),
            device=_device.resolve("auto"),
            versions=_device.versions(),
        )
