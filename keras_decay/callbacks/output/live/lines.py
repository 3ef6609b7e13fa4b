"""Plain lines, for a log or whatever else is no terminal."""

import time

from keras_decay.curves.draw import picture as pictures

# Seconds between two lines: a log is read, not watched.
INTERVAL = 2.0


class Lines:
    """Writes the numbers of an epoch every few seconds, and the verdict at the end."""

    # Seconds that it takes to show something for the first time.
    FIRST = 0.01

    def __init__(self, stream, clock=time.monotonic):
        self._stream, self._clock = stream, clock
        self._last = None
        self._epoch = None

    def open(self, fit):
        """Nothing to be done."""

    def urgent(self):
        """Never."""
        return False

    def show(self, rows):
        """Write a line, unless there was one just now."""
        now = self._clock()
        if self._last is None or now - self._last >= INTERVAL:
            self._last, self._epoch = now, rows[-1]["epoch"]
            self._write(pictures.picture(rows).numbers)

    def close(self, rows):
        """Write the last line, unless it is there, and the verdict."""
        picture = pictures.picture(rows)
        if self._epoch != rows[-1]["epoch"]:
            self._write(picture.numbers)
        self._write(picture.sentence)

    def abandon(self):
        """Nothing to be done."""

    def _write(self, text):
        encoding = getattr(self._stream, "encoding", None) or "utf-8"
        text = text.encode(encoding, errors="replace").decode(encoding)
        self._stream.write(f"{text}\n")
        self._stream.flush()
