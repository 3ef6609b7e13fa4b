"""One picture in the output of a notebook's cell, replaced in place.

It updates a display handle of its own and clears nothing: the cell does not flicker,
and what others have written stays.
"""

import sys
from typing import Any

from keras_decay.curves.draw import picture as pictures
from keras_decay.curves.draw import svg


class Notebook:
    """Shows an SVG, as Jupyter, VS Code and Colab do, with the numbers as its text."""

    FIRST = 0.02

    def __init__(self):
        self._handle: Any = None

    @staticmethod
    def possible():
        """Whether this process is the kernel of a notebook; IPython is not imported."""
        ipython = sys.modules.get("IPython")
        shell = ipython.get_ipython() if ipython is not None else None
        # IPython in a terminal has no kernel.
        return getattr(shell, "kernel", None) is not None

    def open(self, fit):
        """Take the place above all that training will write."""
        from IPython.display import display

        self._handle = display(_bundle(None), raw=True, display_id=True)

    def urgent(self):
        """Never: the picture stays."""
        return False

    def show(self, rows):
        """Replace the picture."""
        self._handle.update(_bundle(pictures.picture(rows)), raw=True)

    def close(self, rows):
        """Leave the whole curve."""
        self.show(rows)

    def abandon(self):
        """Leave what is there."""


def _bundle(picture):
    text = "learning curve"
    if picture is not None:
        text = f"{picture.numbers}\n{picture.sentence}"
    return {"image/svg+xml": svg.svg(picture), "text/plain": text}
