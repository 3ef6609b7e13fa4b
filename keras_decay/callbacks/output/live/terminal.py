"""A plot in the last lines of a terminal, below what is written meanwhile.

Keras' progress bar and whatever else is printed must not be garbled, whoever writes it
and however. So the plot does not move with the text: the terminal is told to scroll the
lines above it alone, and the plot is written where nothing scrolls. The position of the
text's cursor is saved and restored, which any terminal of this century does.

A process that is killed cannot tell the terminal to scroll as a whole again; `reset`
does, and so does every program that uses the whole screen.
"""

import atexit
import os
import weakref

from keras_decay.curves.draw import picture, text_plot

# Lines of a plot, and what is left to the text at least.
TALLEST, TEXT_LINES = 16, 8
STYLES = {
    "training": "blue",
    "validation": "dark_orange",
    "title": "bold",
    "faint": "dim",
}
SAVE, RESTORE = "\x1b7", "\x1b8"
# Down by a line, in the same column; the screen scrolls if it has to.
INDEX = "\x1bD"
CLEAR_LINE = "\x1b[2K"

# Two plots would take the same lines: the first has them.
_owner: weakref.ref | None = None


class TerminalPlot:
    """Shows a text plot at the foot of a terminal.

    Args:
        stream: The terminal, a file.
        size: Function that returns its present columns and lines.
    """

    FIRST = 0.02

    def __init__(self, stream, size=None):
        self._stream = stream
        self._size_now = size or (lambda: tuple(os.get_terminal_size(stream.fileno())))
        self._size = None
        self._height = 0
        self.fit = None

    @staticmethod
    def possible(stream):
        """Whether there is a terminal that can show it."""
        try:
            if stream is None or not stream.isatty():
                return False
            os.get_terminal_size(stream.fileno())
            "⣿━┤".encode(stream.encoding or "ascii")
        except (AttributeError, OSError, ValueError):
            return False
        from rich.console import Console

        console = Console(file=stream)
        return not (console.is_dumb_terminal or console.legacy_windows)

    def open(self, fit):
        """Take the lines, once there is something to show.

        Args:
            fit: The `Training`. A display of an earlier one gives its lines back.
        """
        global _owner
        other = _owner() if _owner is not None else None
        if other is not None and not other.fit.same_as(fit):
            other.abandon()
            other = None
        if other is None:
            _owner, self.fit = weakref.ref(self), fit
        # Load rich now, so that its import does not count as time of a display.
        self._lines([{"epoch": 0.0, "loss": 1.0, "val_loss": 1.0}], 80, TALLEST)

    def urgent(self):
        """Whether what is shown is spoilt: the window has changed."""
        return self._size is not None and self._size_now() != self._size

    def show(self, rows):
        """Write the plot in its place; make the place if the window has changed."""
        if not self._is_owner():
            return
        size = self._size_now()
        begin = "" if size == self._size else self._take(size)
        columns, lines = size
        plot = self._lines(rows, columns, self._height)
        plot += [""] * (self._height - len(plot))
        written = [
            f"\x1b[{place};1H{CLEAR_LINE}{line}"
            for place, line in enumerate(plot, start=lines - self._height + 1)
        ]
        self._write(f"{begin}{SAVE}{''.join(written)}{RESTORE}")

    def close(self, rows):
        """Give the lines back, and leave the whole curve among the text."""
        if not self._is_owner():
            return
        self.abandon()
        columns, lines = self._size_now()
        plot = self._lines(rows, columns, _height(lines))
        self._write("".join(f"{line}\n" for line in plot))

    def abandon(self):
        """Give the lines back. Safe to call at any time, and twice."""
        global _owner
        if not self._is_owner():
            return
        _owner = None
        atexit.unregister(self.abandon)
        if self._size is None or os.getpid() != self._process:
            return
        lines, self._size = self._size[1], None
        cleared = "".join(
            f"\x1b[{line};1H{CLEAR_LINE}"
            for line in range(lines - self._height + 1, lines + 1)
        )
        self._write(f"{SAVE}\x1b[r{cleared}{RESTORE}")

    def _take(self, size):
        """Codes that keep the last lines from scrolling, and free of text."""
        if self._size is None:
            # A process forked from this one leaves the terminal alone.
            self._process = os.getpid()
            atexit.register(self.abandon)
        again = self._size is not None
        self._size = size
        self._height = _height(size[1])
        # After a change of size what is left of the plot lies below the text.
        wipe = f"{SAVE}\x1b[r\x1b8{SAVE}\x1b[B\x1b[J{RESTORE}" if again else ""
        room = f"{INDEX * self._height}\x1b[{self._height}A"
        region = f"{SAVE}\x1b[1;{size[1] - self._height}r{RESTORE}"
        return wipe + room + region

    def _lines(self, rows, columns, height):
        """The plot as lines with the colours that the terminal knows."""
        from rich.console import Console
        from rich.text import Text

        console = Console(
            file=self._stream, width=columns, highlight=False, markup=False
        )
        # The last column stays free: writing there may begin a new line.
        plot = text_plot.text_plot(picture.picture(rows), columns - 1, height)
        with console.capture() as captured:
            for line in plot:
                pieces = [(piece.text, STYLES[piece.role]) for piece in line]
                console.print(Text.assemble(*pieces), no_wrap=True, crop=True)
        return captured.get().splitlines()

    def _is_owner(self):
        return _owner is not None and _owner() is self

    def _write(self, text):
        try:
            self._stream.write(text)
            self._stream.flush()
        except (OSError, ValueError):
            pass  # The terminal is gone; training is not.


def _height(lines):
    """The lines of a plot in a window of so many."""
    height = min(TALLEST, lines - TEXT_LINES)
    return height if height >= text_plot.MIN_HEIGHT else 1
