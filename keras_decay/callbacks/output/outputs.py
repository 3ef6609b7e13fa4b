"""What is made of a curve while it grows: figures, a live display, TensorBoard."""

import contextlib
import warnings
from typing import Any

from keras_decay.callbacks.output import live as displays
from keras_decay.callbacks.output.figures import Figures
from keras_decay.callbacks.output.tensorboard import TensorBoard
from keras_decay.callbacks.output.throttle import Throttle
from keras_decay.curves.data.thinned import Thinned

# The display's share of the time of training; the figure files have as much.
SHARE = 0.01


class Outputs:
    """Figure files, a live display and TensorBoard, as `LearningCurve` is asked for.

    None of them is worth a training run: what goes wrong with them is a warning.
    """

    def __init__(self, figure, every, live, tensorboard):
        self.figures = Figures(figure, every)
        self._choice = displays.check(live)
        self._tensorboard = TensorBoard(tensorboard)
        self._display: Any = None

    def start(self, fit):
        """Check what must be written; training begins.

        Args:
            fit: The `Training`.
        """
        self.figures.start()
        self._tensorboard.check()
        self._thinned, self._taken, self._rows = Thinned(), 0, []
        fit.when_left(self._leave)
        self._display = displays.display(self._choice)
        if self._display is not None:
            self._throttle = Throttle(SHARE, self._display.FIRST)
            self._try(self._display.open, fit)

    def begin(self, epoch):
        """The first epoch of training has this number."""
        self._tensorboard.start(epoch)

    def epoch(self, rows):
        """There is a further row."""
        self._rows = rows
        self._tensorboard.write(rows[-1])
        if self._display is None and not self.figures.grow:
            return
        for row in rows[self._taken :]:
            self._thinned.add(row)
        self._taken = len(rows)
        self.figures.epoch(len(rows), rows[-1]["epoch"], self._thinned.rows)
        display = self._display
        if display is not None and (self._throttle.allows() or display.urgent()):
            self._throttle.run(lambda: self._try(display.show, self._thinned.rows()))

    def finish(self, rows):
        """Training has ended."""
        self._tensorboard.stop()
        if self._display is not None and rows:
            self._try(self._display.close, self._thinned.rows())
        self._display = None
        self.figures.finish(rows)

    def _leave(self):
        """An exception ends a step: the figure shows all rows nonetheless."""
        if self._display is not None:
            self._display.abandon()
        self.figures.finish(self._rows)

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
