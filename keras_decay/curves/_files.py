"""The files that a curve can be read from: our own, and those of Keras' CSVLogger."""

import csv
from pathlib import Path

from keras_decay.curves import _rows


def read(path):
    """The rows in a file.

    Args:
        path: Path of a JSON-lines file of `LearningCurve`, or of a table with a header
            and the column `epoch`, as `keras.callbacks.CSVLogger` writes it. A last
            line that is torn is left out.

    Returns:
        A list of dicts; empty if no epoch has been recorded yet.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is neither; the message names the line.
    """
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(
            f"There is no learning curve at {str(path)!r}: no such file."
        )
    text = path.read_bytes().decode("utf-8", errors="replace")
    header, _, _ = text.partition("\n")
    separator = next((s for s in ",;\t|" if s in header), ",")
    columns = [name.strip() for name in header.split(separator)]
    if header.lstrip().startswith("{") or "epoch" not in columns:
        return _rows.read(path)[0]
    return _table(path, text, separator)


def _table(path, text, separator):
    table = list(csv.reader(text.splitlines(), delimiter=separator))
    columns = [name.strip() for name in table[0]]
    rows: list[dict] = []
    for number, cells in enumerate(table[1:], start=2):
        if not cells or cells == table[0]:
            continue
        last = number == len(table) and not text.endswith("\n")
        numbers = {
            name: value
            for name, cell in zip(columns, cells, strict=False)
            if (value := _number(cell)) is not None
        }
        if len(cells) != len(columns) or "epoch" not in numbers:
            if last or number == len(table):
                break
            raise ValueError(
                f"Line {number} of {str(path)!r} is no row of a learning curve: "
                f"{len(columns)} values were expected, with a number as the epoch, "
                f"found {separator.join(cells)[:40]!r}."
            )
        if not last:
            # The last value of a line without its end may have lost digits.
            rows.append(numbers)
    return _in_order(rows)


def _in_order(rows):
    """The rows with epochs that ascend.

    A second `fit` begins at 0 again: its epochs are counted on. One that resumes begins
    where it was stopped: its epochs replace those of the first.
    """
    ordered: list[dict] = []
    offset = 0.0
    for row in rows:
        epoch = row["epoch"] + offset
        if ordered and row["epoch"] == 0:
            offset = ordered[-1]["epoch"] + 1
            epoch = offset
        while ordered and ordered[-1]["epoch"] >= epoch:
            ordered.pop()
        ordered.append({**row, "epoch": int(epoch)})
    return ordered


def _number(cell):
    try:
        return float(cell)
    except ValueError:
        return None  # NA, what a metric has not reported, or a list
