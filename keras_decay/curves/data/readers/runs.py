"""From records to runs: rows of one epoch, and several trainings in one source."""

import numpy as np

from keras_decay.curves.data.numbers import is_number
from keras_decay.curves.data.readers import merging
from keras_decay.curves.data.readers.cells import named
from keras_decay.ground import schema

NO_EPOCH = "rows without an epoch are left out"
NO_LOSS = "rows have no training loss"

_WORDS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
_ORDER = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth")
_LOSSES = frozenset(schema.LOSSES)


class Run(list):
    """The rows of one training, a list of dicts.

    Attributes:
        n_runs: How many trainings were recorded together.
        where: "the file", "the folder" or "the record" that holds them.
        place: Which of them this is, from 0.
        name: The name of the run, where the source gives one.
        notes: A list of sentences: what was left out or joined in reading.
    """

    def __init__(self, rows=(), n_runs=1, where="the record", place=None, name=""):
        super().__init__(rows)
        self.n_runs, self.where, self.name = n_runs, where, name
        self.place = n_runs - 1 if place is None else place
        self.notes = []

    def __str__(self):
        if self.place == self.n_runs - 1:
            which = "last"
        elif self.place < len(_ORDER):
            which = _ORDER[self.place]
        else:
            which = f"number {self.place + 1}"
        name = f", {self.name!r}" if self.name else ""
        return f"the {which} of {in_words(self.n_runs)} runs in {self.where}{name}"


def runs(log, train=None, validation=None):
    """The trainings in a `Log`, in their order; at least one, which may be empty.

    Rows of one epoch that follow on one another are one row: training and validation
    may be logged apart. Where the epochs begin again, another training begins; where
    they go back by less, a training was resumed, and what was recorded from that epoch
    on is replaced. Without epochs the steps tell trainings apart, and without both
    every header does.

    Args:
        log: A `Log`.
        train, validation: Names of the columns of the losses, or None.

    Returns:
        A list of `Run`.
    """
    found, names = [], []
    for place, records in enumerate(named(log, train, validation)):
        rows = _runs_of(records, log)
        found += rows
        names += [log.name(place)] * len(rows)
    filled = [(run, name) for run, name in zip(found, names, strict=True) if run]
    if not filled:
        filled = [([], "")]
    without = [place for place, row in filled[-1][0] if schema.LOSS not in row]
    if len(without) < len(filled[-1][0]):
        for place in without:
            log.told.add(NO_LOSS, place)
    count = len(filled)
    return [
        Run([row for _, row in run], count, log.where, place, name)
        for place, (run, name) in enumerate(filled)
    ]


def in_words(count):
    """A small number as a word."""
    return _WORDS[count] if count < len(_WORDS) else str(count)


def _runs_of(records, log):
    """The trainings in one part: lists of pairs of place and row."""
    epochs = [row[schema.EPOCH] for _, row, _ in records if schema.EPOCH in row]
    epochs = [epoch for epoch in epochs if is_number(epoch)]
    has_epochs = bool(epochs)
    has_steps = any(is_number(row.get(schema.STEP)) for _, row, _ in records)
    by_step = has_steps and (log.by_step or not has_epochs or not _are_whole(epochs))
    if by_step:
        found = _grouped(records, log, schema.STEP)
    elif has_epochs:
        found = _grouped(records, log, schema.EPOCH)
    else:
        found = _by_section(records)
    found = [merging.rows(groups, log, by_step) for groups in found]
    if not by_step and not has_epochs:
        found = [_counted(run) for run in found]
    return merging.halves_joined(found)


def _are_whole(epochs):
    values = np.array(epochs, dtype=float)
    values = values[np.isfinite(values)]
    return bool(np.all(values == np.floor(values)))


def _grouped(records, log, key):
    """Runs, each a list of pairs of place and row, or of lists of pairs.

    A list of pairs is what has one epoch, or one step.
    """
    found: list[list] = [[]]
    last = None
    waiting: dict = {}
    for place, row, _ in records:
        value = row.get(key)
        if value is None and schema.STEP in row and not row.keys() & _LOSSES:
            waiting |= row  # the rate, which Lightning writes without an epoch
            continue
        if waiting:
            row, waiting = {**waiting, **row}, {}
        if not is_number(value) or value - value != 0:  # NaN, or infinite
            log.told.add(NO_EPOCH, place)
            continue
        run = found[-1]
        if run and value == last:
            if type(run[-1]) is tuple:
                run[-1] = [run[-1]]
            run[-1].append((place, row))
            continue
        if run and value < last:
            if value <= _pairs(run[0])[0][1][key]:
                run = []
                found.append(run)
            while run and _pairs(run[-1])[0][1][key] >= value:
                for before, _ in _pairs(run.pop()):
                    log.told.add(merging.REPLACED, before)
        run.append((place, row))
        last = value
    return found


def _by_section(records):
    """A run below every header."""
    found: list[list] = [[]]
    section = None
    for place, row, its in records:
        if its != section and found[-1]:
            found.append([])
        section = its
        found[-1].append((place, row))
    return found


def _pairs(group):
    return [group] if type(group) is tuple else group


def _counted(run):
    return [
        (place, {schema.EPOCH: count, **row}) for count, (place, row) in enumerate(run)
    ]
