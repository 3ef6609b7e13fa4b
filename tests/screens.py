"""A terminal of the simplest kind, to see what would stand on the screen."""

import re

CODES = re.compile(r"\x1b\[([0-9;]*)([A-Za-z])|\x1b([78D])|([^\x1b])", re.S)


class Screen:
    """What a terminal shows of what is written to it.

    Attributes:
        lines: The lines of the window, without blanks at their ends.
        history: The lines that have left it at the top.
    """

    encoding = "utf-8"

    def __init__(self, columns=80, lines=24):
        self.columns, self.height = columns, lines
        self.cells = [[] for _ in range(lines)]
        self.history = []
        self.row = self.column = 0
        self.region = (0, lines - 1)
        self.saved = (0, 0)

    @property
    def lines(self):
        return ["".join(row).rstrip() for row in self.cells]

    def size(self):
        return self.columns, self.height

    def resize(self, columns, lines):
        """As xterm does: what does not fit leaves at the top, and all lines scroll."""
        for _ in range(max(self.height - lines, 0)):
            self.history.append("".join(self.cells.pop(0)).rstrip())
            self.row = max(self.row - 1, 0)
        self.cells += [[] for _ in range(lines - self.height)]
        self.columns, self.height = columns, lines
        self.region = (0, lines - 1)

    def isatty(self):
        return True

    def flush(self):
        pass

    def write(self, text):
        for numbers, code, single, character in CODES.findall(text):
            if character:
                self._put(character)
            elif single:
                self._single(single)
            else:
                self._control(code, [int(n) for n in numbers.split(";") if n])

    def _put(self, character):
        if character == "\n":
            self.column = 0
            self._index()
        elif character == "\r":
            self.column = 0
        elif character == "\b":
            self.column = max(self.column - 1, 0)
        else:
            assert self.column < self.columns, "a line is longer than the window"
            row = self.cells[self.row]
            row += " " * (self.column + 1 - len(row))
            row[self.column] = character
            self.column += 1

    def _index(self):
        top, bottom = self.region
        if self.row == bottom:
            gone = self.cells.pop(top)
            self.cells.insert(bottom, [])
            if top == 0:
                self.history.append("".join(gone).rstrip())
        else:
            self.row = min(self.row + 1, self.height - 1)

    def _single(self, code):
        if code == "7":
            self.saved = (self.row, self.column)
        elif code == "8":
            self.row, self.column = self.saved
        else:
            self._index()

    def _control(self, code, numbers):
        first = numbers[0] if numbers else 1
        if code == "A":
            self.row = max(self.row - first, 0)
        elif code == "B":
            self.row = min(self.row + first, self.height - 1)
        elif code == "H":
            self.row, self.column = numbers[0] - 1, numbers[1] - 1
        elif code == "K":
            assert numbers == [2]
            self.cells[self.row] = []
        elif code == "J":
            assert not numbers
            self.cells[self.row] = self.cells[self.row][: self.column]
            for row in range(self.row + 1, self.height):
                self.cells[row] = []
        elif code == "r":
            self.region = (
                (numbers[0] - 1, numbers[1] - 1) if numbers else (0, self.height - 1)
            )
            self.row = self.column = 0
        else:
            assert code == "m", f"unknown code {code}"
