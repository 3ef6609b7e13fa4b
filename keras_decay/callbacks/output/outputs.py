"""What is made of a curve while it is recorded: figure files and a live display."""

import contextlib
import warnings
from typing import Any

from keras_decay.callbacks.output import live as _live
from keras_decay.callbacks.output import throttle
from keras_decay.callbacks.output.figures import Figures
from keras_decay.curves.data.thinned import Thinned

# The display's share of the time of training; the figure files have as much.
SHARE = 0.01


class Outputs:
    """Figure files and a live display, as the arguments of `LearningCurve` ask.

    Neither is worth a training run: what goes wrong with them is a warning.
    """

    def __init__(self, figure, every, live):
        self.figures = Figures(figure, every)
        self._choice = _live.check(live)
        self._display: Any = None

    def start(self, fit):
        """Training begins, in this `RunningFit`."""
        self.figures.start()
        self._thinned, self._taken = Thinned(), 0
        self._display = _live.display(self._choice)
        if self._display is not None:
            first = self._display.FIRST
            self._throttle = throttle.Throttle(SHARE, first)
            self._try(self._display.open)
            fit.when_left(self._display.abandon)

    def epoch(self, rows):
        """There is a further row."""
        if self._display is None and not self.figures.grow:
            return
        for row in rows[self._taken :]:
            self._thinned.add(row)
        self._taken = len(rows)
        self.figures.epoch(len(rows), self._thinned.rows)
        display = self._display
        if display is not None and (self._throttle.allows() or display.urgent()):
            self._throttle.run(lambda: self._try(display.show, self._thinned.rows()))

    def finish(self, rows):
        """Training has ended."""
        if self._display is not None and rows:
            self._try(self._display.close, self._thinned.rows())
        self._display = None
        self.figures.finish(rows)

    def _try(self, function, *arguments):
        try:
            function(*arguments)
        except Exception as error:
            with contextlib.suppress(Exception):
                self._display.abandon()
            self._display = None
            warnings.warn(
                f"The learning curve cannot be shown any more: {error!r}. It is "
                "recorded all the same.",
                stacklevel=2,
            )
