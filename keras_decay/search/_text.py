"""A table of candidates as plain text."""

import numpy as np

from keras_decay.ground import tables

SHOWN = 12


def text_table(titles, rows, best=()):
    """The rows under their titles, numbers to the right; `best` rows have a star."""
    columns = [tables.Column(title, is_number=True) for title in titles]
    cells = [[_cell(value) for value in row] for row in rows]
    if best:
        columns.append(tables.Column(""))
        cells = [[*row, "*" if i in best else ""] for i, row in enumerate(cells)]
    return tables.text_table(columns, cells)


def mean_and_sd(values):
    """The mean of some numbers, with their standard deviation if there are several."""
    values = np.asarray(values, "float64")
    if np.isnan(values).all():
        return "NaN"
    if len(values) == 1:
        return f"{values[0]:.4g}"
    return f"{values.mean():.4g} ± {values.std(ddof=1):.2g}"


def _cell(value):
    if isinstance(value, str):
        return value
    if value is None:
        return "-"
    is_float = isinstance(value, float) and not isinstance(value, bool)
    return f"{value:.4g}" if is_float else str(value)[:24]
