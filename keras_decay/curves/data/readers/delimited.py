"""Tables with a header, of any separator: `CSVLogger`, pandas, and other loggers.

Lightning's `metrics.csv`, which leaves cells empty and gives an epoch several rows, and
fastai's and ultralytics' tables are of this form.
"""

import csv
import re

from keras_decay.curves.data.numbers import number
from keras_decay.curves.data.readers import exports, fastai, found, longs, wandb
from keras_decay.curves.data.readers.cells import MISSING
from keras_decay.curves.data.readers.found import Log, Record, Told
from keras_decay.curves.data.readers.names import canonical
from keras_decay.ground import schema

_SEPARATORS = ",;\t|"


def log(name, text, tag):
    """The `Log` of a table.

    Args:
        name: Name of the file, for messages.
        text: Its text.
        tag: Name of the values, for a file that holds nothing but one series.

    Raises:
        ValueError: If it has no header, or most lines do not fit it.
    """
    told = Told(name, "line")
    lines = re.split(r"\r\n|\n|\r", text.replace("\0", ""))
    start = 0
    while start < len(lines) and _is_before_the_header(lines[start]):
        start += 1
    if start == len(lines):
        raise found.no_curve(name, "it is empty", "Has the training begun?")
    cells = _cells(lines[start:])
    records, names = _records(name, cells, start, told)
    if exports.is_table(names):
        return exports.of_table(records, names, tag, told)
    for reads in (longs.pivoted, wandb.parts, fastai.log):
        special = reads(records, names, told)
        if special is not None:
            return special
    return Log([records], told, "the file", columns=names)


def _is_before_the_header(line):
    """Whether this line is empty, a comment, or a spreadsheet's `sep=;`."""
    line = line.strip("\ufeff \t")
    return not line or line.startswith(("#", "sep="))


def _cells(lines):
    """The cells of all lines, with the number of each line from 1."""
    header = lines[0].strip("\ufeff")
    separator = max(_SEPARATORS, key=header.count)
    # CSVLogger puts the epoch first, and its separator may be anything.
    if header.startswith("epoch") and header[5:6] and not header[5].isidentifier():
        separator = header[5] if header[5] != " " else separator
    if separator not in header and len(header.split()) > 1:
        split = [(place, line.split()) for place, line in enumerate(lines, 1)]
        width = len(split[0][1])
        if len(lines) < 2 or any(len(cells) == width for _, cells in split[1:3]):
            return [(place, cells) for place, cells in split if cells]
    body = lines[1:]
    text = "\n".join(body) if separator != "," else ""
    if "," in text and "." not in text:
        body = text.replace(",", ".").split("\n")  # decimal commas, all of them
    lines = [header, *body]
    reader = csv.reader(lines, delimiter=separator, skipinitialspace=True)
    try:
        cells = [(reader.line_num, row) for row in reader if row]
    except csv.Error:
        cells = []
    if len(cells) == sum(map(bool, lines)):
        return cells
    # A quote that is not closed takes what follows into one cell: line by line.
    return [
        (place, _cells_of(line, separator))
        for place, line in enumerate(lines, 1)
        if line
    ]


def _cells_of(line, separator):
    try:
        return next(csv.reader([line], delimiter=separator, skipinitialspace=True))
    except csv.Error:
        return [line[:100]]


def _records(name, cells, start, told):
    """The records of a table, and all its names."""
    names: list[str] = []
    everything: dict[str, None] = {}
    section, records, unreadable, is_usual = 0, [], [], False
    for index, (place, line) in enumerate(cells):
        if len(line) == len(names) and is_usual:
            row = _usual_row(names, line)
            if row is not None:
                records.append(Record(place + start, row, section))
                continue
        line = [cell.strip() for cell in line]
        if not any(line):
            continue
        if not names or _is_header(line, names):
            if not names and any(number(cell) is not None for cell in line):
                raise found.no_curve(
                    name,
                    "it has no header: a first line with the names of the columns was "
                    f"expected, found {_shown(line)}",
                    "Put one above it, as epoch,loss,val_loss.",
                )
            names, section = line, section + 1
            is_usual = "" not in names  # pandas' index has no name
            everything.update(dict.fromkeys(filter(None, names)))
        elif _fits(line, names):
            records.append(Record(place + start, _row(names, line), section))
        else:
            after = cells[index + 1][1] if index + 1 < len(cells) else None
            glued = _taken_apart(line, names, after)
            if glued is None:
                unreadable.append((place, line))
                continue
            told.add(found.GLUED, place + start)
            for part in glued:
                if _is_header(part, names):
                    names, section = part, section + 1
                else:
                    row = _row(names, part)
                    records.append(Record(place + start, row, section))
    _tell(name, cells, start, names, records, unreadable, told)
    return records, list(everything)


def _usual_row(names, line):
    """A row of numbers, where some cells may be empty; None for any other."""
    try:
        if "" in line:
            row = {
                name: float(cell)
                for name, cell in zip(names, line, strict=True)
                if cell
            }
        else:
            row = dict(zip(names, map(float, line), strict=True))
    except ValueError:
        return None
    # Python takes 1_000 for a number.
    return row if row and "_" not in "".join(line) else None


def _tell(name, cells, start, names, records, unreadable, told):
    if not names:
        raise found.no_curve(name, "it has no header")
    last = cells[-1][0]
    is_torn = bool(unreadable) and unreadable[-1][0] == last
    is_torn = is_torn and len(unreadable[-1][1]) < len(names)
    if len(unreadable) - is_torn > len(records):
        place, line = unreadable[0]
        raise found.no_curve(
            name,
            f"line {place + start} has {len(line)} fields, and the header has "
            f"{len(names)}: {found.listed(names)}",
            "Is it a table with one header above all columns?",
        )
    for place, _ in unreadable:
        is_end = is_torn and place == last
        told.add(found.TORN if is_end else found.UNREADABLE, place + start)


def _shown(line):
    text = ",".join(line)
    return repr(text if len(text) <= 60 else text[:59] + "…")


def _is_header(line, names):
    """Whether a line holds names: no number, and names seen before or known ones."""
    if any(number(cell) is not None for cell in line):
        return False
    filled = [cell for cell in line if cell.lower() not in MISSING]
    if not filled:
        return False
    known = {*names, schema.LOSS, schema.VAL_LOSS}
    return any(cell in known or canonical(cell) is not None for cell in filled)


def _fits(line, names):
    """Whether there is a cell for every name; empty ones may follow."""
    return len(line) >= len(names) and not any(line[len(names) :])


def _row(names, line):
    row = {}
    for name, cell in zip(names, line, strict=False):
        value = number(cell)
        if value is None and cell.lower() in MISSING:
            continue
        if name:
            row[name] = cell if value is None else value
    return row


def _taken_apart(line, names, after):
    """Two lines whose line break was lost, or None.

    The cell between them holds the end of one and the start of the other. The latter
    is a name of the header, or an epoch that the next line tells.
    """
    width = len(names)
    if width < 2 or len(line) != 2 * width - 1:
        return None
    middle = line[width - 1]
    starts = [names[0]]
    following = number(after[0]) if after else None
    before = number(line[0])
    if following is not None and following.is_integer():
        starts.append(str(int(following) - 1))
    elif before is not None and before.is_integer():
        starts.append(str(int(before) + 1))
    for start in starts:
        end = middle.removesuffix(start)
        if end != middle and number(end) is not None:
            return [[*line[: width - 1], end], [start, *line[width:]]]
    return None
