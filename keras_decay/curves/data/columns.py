"""Any record of a training as rows, and any quantity in rows as a series.

Rows are the common form: one dict per epoch. Keras' `History`, a dict of lists, a data
frame and the files of `LearningCurve` and other programs are turned into rows.
"""

import warnings
from typing import NamedTuple

import numpy as np

from keras_decay.curves.data import readers
from keras_decay.curves.data.numbers import is_number
from keras_decay.ground import schema


class Series(NamedTuple):
    """One quantity against the epoch, where it was recorded; NaN if it was NaN."""

    epochs: np.ndarray
    values: np.ndarray

    def __len__(self):
        return len(self.values)


def as_rows(source, name="source"):
    """`source` as a list of rows; of several trainings the last, with a warning.

    Args:
        source: All that `read_curves` reads.
        name: Name of the argument, for the error.

    Returns:
        A `Run`, a list of dicts, each with the key `epoch`.

    Raises:
        TypeError, FileNotFoundError, ImportError, ValueError: See `read_curves`.
    """
    run = readers.as_run(source, name, stacklevel=3)
    if run.n_runs > 1 and run is not source:
        warnings.warn(f"This is {run}.", stacklevel=3)
    return run


def as_run(source, name="source", run=-1):
    """`source` as the `Run` that is judged: the last one. See `as_rows`."""
    return readers.as_run(source, name, run, stacklevel=3)


def series(rows, column):
    """The numbers in `column`, with their epochs; rows without one are left out."""
    pairs = [
        (float(row["epoch"]), float(row[column]))
        for row in rows
        if is_number(row.get(column))
    ]
    epochs, values = zip(*pairs, strict=True) if pairs else ((), ())
    return Series(np.array(epochs, dtype=float), np.array(values, dtype=float))


def metrics(rows):
    """The names that can be drawn: every numeric column, `val_` left away."""
    names: dict[str, None] = {}
    for row in rows:
        for key, value in row.items():
            if key not in schema.PLACES and is_number(value):
                names[key.removeprefix(schema.VALIDATION)] = None
    return sorted(names)


def names(rows):
    """The names of all columns but the epoch's, in their order."""
    columns = dict.fromkeys(key for row in rows for key in row)
    return [name for name in columns if name != "epoch"]


def loss_columns(rows):
    """The column that the loss is judged by: apart from the penalty, if recorded."""
    for column in (schema.DATA_LOSS, schema.LOSS):
        validated = schema.VALIDATION + column
        if len(series(rows, column)) and len(series(rows, validated)):
            return column
    has_data_loss = len(series(rows, schema.DATA_LOSS))
    return schema.DATA_LOSS if has_data_loss else schema.LOSS
