"""A curve from a file, whoever wrote it: JSON lines, a table of CSV, a dict in JSON."""

import csv
import json
from pathlib import Path

from keras_decay.curves import _rows

_SEPARATORS = ",;\t|"


def read(path):
    """What the file holds: rows, or a dict of lists.

    Args:
        path: Path of a file of `LearningCurve`, of one written by `keras.callbacks.
            CSVLogger` or as CSV by pandas, or of `history.history` dumped as JSON.

    Returns:
        A list of dicts, or a dict.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is none of these.
    """
    path = Path(path)
    try:
        text = path.read_bytes().decode("utf-8-sig", errors="replace")
    except FileNotFoundError:
        raise FileNotFoundError(
            f"There is no learning curve at {str(path)!r}: no such file."
        ) from None
    if text.lstrip()[:1] not in ("{", "["):
        return _table(path, text)
    try:
        whole = json.loads(text)
    except ValueError:
        whole = None
    if isinstance(whole, list) or (isinstance(whole, dict) and _is_lists(whole)):
        return whole
    return _rows.read(path)[0]


def _is_lists(columns):
    return bool(columns) and all(isinstance(one, list) for one in columns.values())


def _table(path, text):
    """The rows of a table with a header. A torn last line is dropped."""
    lines = text.replace("\0", "").splitlines()
    header = lines[0] if lines else ""
    separator = max(_SEPARATORS, key=header.count)
    # CSVLogger puts the epoch first, and its separator may be anything.
    if header.startswith("epoch") and header[5:6] and not header[5].isidentifier():
        separator = header[5]
    names, *records = csv.reader(lines, delimiter=separator) if lines else [[]]
    if lines and not text.endswith("\n") and len(records) > 1:
        records.pop()
    if not any(name.removeprefix("val_") in _LOSSES for name in names):
        raise ValueError(
            f"{str(path)!r} is no learning curve: JSON lines or a table with a column "
            f"'loss' was expected, found {header[:40]!r}. Is it another file?"
        )
    rows = []
    for number, record in enumerate(records, start=2):
        if not record:
            continue
        if len(record) != len(names):
            raise ValueError(
                f"Line {number} of {str(path)!r} has {len(record)} fields, and the "
                f"header has {len(names)}."
            )
        cells = zip(names, map(_number, record), strict=True)
        rows.append(
            {name: value for name, value in cells if name and value is not None}
        )
    return _last_training(rows)


_LOSSES = ("loss", "data_loss")


def _number(cell):
    """A cell as a number, or None: CSVLogger writes NA for what is missing."""
    try:
        return float(cell)
    except ValueError:
        return None


def _last_training(rows):
    """The rows without those that were done over again.

    A logger that appends counts anew after a crash: what was recorded from that epoch
    on is superseded.
    """
    kept: list[dict] = []
    for row in rows:
        while kept and "epoch" in row and kept[-1].get("epoch", -1) >= row["epoch"]:
            kept.pop()
        kept.append(row)
    return kept
