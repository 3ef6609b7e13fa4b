"""Rows as a table: as many cells in every row, one value in every cell."""

import csv
import io

from keras_decay.ground import files, schema
from keras_decay.ground.frames import data_frame


def dataframe(rows):
    """The rows as a pandas data frame, one column for each key that any of them has."""
    return data_frame(*_table(rows))


def write_csv(rows, path):
    """Write the rows as comma-separated values; a cell without a value is empty."""
    flat, columns = _table(rows)
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(flat)
    content = text.getvalue().encode()
    files.replace(path, lambda file: file.write(content))


def _table(rows):
    """The rows without nesting, and the names of all columns as they first appear."""
    flat = [_flat(row) for row in rows]
    return flat, list(dict.fromkeys(key for row in flat for key in row))


def _flat(row):
    flat = {}
    for key, value in row.items():
        if key in schema.NESTED and isinstance(value, dict):
            flat.update({f"{key}/{name}": one for name, one in value.items()})
        elif key != schema.BATCHES:  # it has no place in a table of one row per epoch
            flat[key] = value
    return flat
