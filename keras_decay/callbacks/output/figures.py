"""The figure files of a curve: checked before training, drawn within a time budget."""

import warnings

from keras_decay.callbacks.output.throttle import Throttle
from keras_decay.curves.draw import drawing
from keras_decay.ground import files, validation

FORMATS = (".png", ".svg", ".pdf")
# Drawing takes at most this share of the time of training; a live display has as much.
SHARE = 0.01
# Seconds that a figure takes the first time, with fonts to be found.
FIRST = 1.0


class Figures:
    """The files to which a curve is drawn.

    Args:
        figure: None, a path, or a list of paths.
        every: Draw every so many epochs, too, not just at the end; or None.
    """

    def __init__(self, figure, every):
        self.paths = _paths(figure)
        self._every = None
        if every is not None:
            self._every = validation.integer("every", every, minimum=1)
            if not self.paths:
                must = "None where there is no `figure` to draw"
                raise ValueError(validation.received("every", every, must))
        self._throttle = Throttle(SHARE, FIRST)

    def start(self):
        """Check that every file can be written, and start the clock."""
        for path in self.paths:
            files.check_writable("figure", path)
        self._throttle.start()

    def clear(self):
        """Remove what a killed training has left of a figure half drawn."""
        for path in self.paths:
            files.remove_leftovers(path)

    @property
    def grow(self):
        """Whether they are drawn while training runs, too."""
        return self._every is not None

    def epoch(self, count, epoch, rows):
        """Draw, if it is time to and there is time for it.

        The figure says when it was drawn: it stays if training is interrupted.

        Args:
            count: How many epochs there are.
            epoch: The number of the last one.
            rows: Function that returns the rows to draw.
        """
        due = self._every is not None and count % self._every == 0
        if due and self._throttle.allows():
            remark = f"Drawn after epoch {epoch}, while training went on."
            self._throttle.run(lambda: self._draw(rows(), remark))

    def finish(self, rows):
        """Draw the whole curve."""
        if self.paths and rows:
            self._draw(rows)

    def _draw(self, rows, remark=""):
        from keras_decay.curves.draw.figure import save

        try:
            drawn = drawing.draw(rows, remark=remark).figure
            for path in self.paths:
                save(drawn, path)
        except Exception as error:
            # A figure is not worth a training run.
            warnings.warn(
                f"The learning curve could not be drawn: {error!r}. Its rows are safe.",
                stacklevel=2,
            )


def _paths(figure):
    if figure is None:
        return []
    paths = list(figure) if isinstance(figure, (list, tuple)) else [figure]
    return [_figure_path(path, figure) for path in paths]


def _figure_path(path, figure):
    formats = ", ".join(FORMATS)
    must = f"a path that ends in one of {formats}, or a list of such paths"
    path = validation.path("figure", path, must)
    if path.suffix.lower() not in FORMATS:
        raise ValueError(validation.received("figure", figure, must))
    return path
