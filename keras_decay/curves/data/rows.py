"""The file of a curve: JSON lines, one row per epoch, safe against a crash.

NaN and infinity are written as `NaN` and `Infinity`, which Python's json reads back;
stricter readers of JSON may refuse them.
"""

import json
import os
from pathlib import Path

from keras_decay.ground import files

# What a line may hold after a power cut: the file has grown, the text is lost.
_NOTHING = b"\0 \t\r"
# How every row that we write begins.
_START = b'{"epoch": '


def read(path):
    """The rows in the file at `path`, and whether its end has to be mended.

    A crash can leave the last line torn. Such a line is dropped, never fatal.

    Args:
        path: Path of a JSON-lines file.

    Returns:
        A list of dicts, and True if the file does not end with a whole line.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If a line is no row of a curve; the message names the line.
    """
    try:
        content = Path(path).expanduser().read_bytes()
    except FileNotFoundError:
        raise FileNotFoundError(
            f"There is no learning curve at {str(path)!r}: no such file."
        ) from None
    lines = content.split(b"\n")
    # A row is written with its line feed, so that what follows the last one is torn.
    torn = lines.pop()
    rows = []
    for number, line in enumerate(lines, start=1):
        row = _row(line)
        if row is not None:
            rows.append(row)
        elif number == len(lines) and (rows or not line.strip(_NOTHING)):
            return rows, True
        elif line.strip(_NOTHING):
            raise _not_a_curve(path, number, line)
    started = torn.strip(_NOTHING)
    # All that a crash can have left of the first row of all.
    if started and not rows and started[: len(_START)] != _START[: len(started)]:
        raise _not_a_curve(path, len(lines) + 1, torn)
    last = _row(torn)
    if last is not None:
        rows.append(last)
    return rows, bool(torn)


def append(path, row):
    """Add `row` to the file at `path` with one write, handed to the system at once."""
    line = _line(row)
    # Unbuffered: a buffer may cut a long line into several writes.
    with open(path, "ab", buffering=0) as file:
        written = file.write(line)
    if written != len(line):
        raise OSError(
            f"The row of epoch {row.get('epoch')} could not be written to "
            f"{str(path)!r} as a whole: is the disk full?"
        )


def rewrite(path, rows):
    """Replace the file at `path` by one with these rows, all at once.

    A curve has one writer, so the temporary file always has the same name: what a
    crash leaves of it is used up by the next start.
    """
    # Through a link to the file itself; the link stays.
    path = Path(os.path.realpath(path))
    content = b"".join(map(_line, rows))
    files.replace(path, lambda file: file.write(content), temporary=f".{path.name}.new")


def _line(row):
    return json.dumps(row).encode() + b"\n"


def _row(line):
    try:
        row = json.loads(line)
    except ValueError:
        return None
    return row if isinstance(row, dict) and "epoch" in row else None


def _not_a_curve(path, number, line):
    start = line[:40].decode(errors="replace")
    return ValueError(
        f"Line {number} of {str(path)!r} is no row of a learning curve: a JSON object "
        f"with the key 'epoch' was expected, found {start!r}. Is it another file?"
    )
