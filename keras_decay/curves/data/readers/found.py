"""What a reader finds in a source, before it becomes runs, and what is told of it."""

import warnings
from dataclasses import dataclass, field
from typing import NamedTuple

_MOST_PLACES, _MOST_COLUMNS, _LONGEST_NAME = 8, 30, 60

UNREADABLE = "unreadable lines are left out"
TORN = "the torn last line is left out"
GLUED = "a lost line break is put back"
SUGGESTED = (
    "Name the columns: read_curves(source, train='…', validation='…'), or give a dict "
    "of lists: {'loss': […], 'val_loss': […]}."
)


class Record(NamedTuple):
    """A row as it was found.

    Attributes:
        place: The number of its line or row, from 1.
        row: A dict.
        section: The number of the header above it.
    """

    place: int
    row: dict
    section: int = 0


class Told:
    """What was left out of a record, by reason and place."""

    def __init__(self, name, unit="row"):
        self.name, self.unit = name, unit
        self._places = {}
        self._remarks = {}

    def add(self, reason, place=None):
        """Something left out, with the number of its line or row if it has one."""
        self._places.setdefault(reason, [])
        if place is not None:
            self._places[reason].append(place)

    def remark(self, text):
        """How something was read that nothing is lost by: no warning, but a note."""
        self._remarks[text] = None

    @property
    def losses(self):
        """What was left out, a list of clauses."""
        return [
            f"{reason} ({self._listed(sorted(set(places)))})" if places else reason
            for reason, places in self._places.items()
        ]

    @property
    def notes(self):
        """What was left out and what was remarked, a list of clauses."""
        return [*self.losses, *self._remarks]

    def warn(self, stacklevel):
        """One warning of all that was left out, if anything was."""
        if self._places:
            text = f"{self.name}: {'; '.join(self.losses)}."
            warnings.warn(text, stacklevel=stacklevel + 1)

    def _listed(self, places):
        shown = ", ".join(map(str, places[:_MOST_PLACES]))
        more = len(places) - _MOST_PLACES
        unit = self.unit if len(places) == 1 else f"{self.unit}s"
        return f"{unit} {shown}" + (f" and {more} more" if more > 0 else "")


@dataclass
class Log:
    """All that a source holds.

    Attributes:
        parts: For each training that the source itself tells apart, a list of
            `Record`. Several trainings in one part are told apart by their epochs.
        told: A `Told`.
        where: "the file", "the folder" or "the record".
        gaps: Whether NaN may stand for a missing value, as in a data frame.
        by_step: Whether the step and not the epoch orders the rows.
        names: The names of the parts, if they have any.
        columns: The names of all columns, where a header gives them.
    """

    parts: list
    told: Told
    where: str = "the record"
    gaps: bool = False
    by_step: bool = False
    names: list = field(default_factory=list)
    columns: list = field(default_factory=list)

    def name(self, place):
        """The name of a part, or an empty one."""
        return self.names[place] if place < len(self.names) else ""


def listed(columns):
    """Names for a message, a bounded number of bounded length."""
    columns = list(dict.fromkeys(map(str, columns)))
    names = [
        repr(c if len(c) <= _LONGEST_NAME else c[: _LONGEST_NAME - 1] + "…")
        for c in columns[:_MOST_COLUMNS]
    ]
    more = len(columns) - len(names)
    return ", ".join(names) + (f" and {more} more" if more > 0 else "")


def no_curve(name, reason, remedy=SUGGESTED):
    """The error of a source that cannot be read, with what to do about it."""
    return ValueError(f"{name} cannot be read as a learning curve: {reason}. {remedy}")
