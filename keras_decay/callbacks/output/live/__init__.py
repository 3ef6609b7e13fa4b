"""What is shown while training runs: in a notebook, in a terminal, or as lines.

A display knows nothing of recording. It is given the rows of a curve, thinned, and
draws them somewhere.
"""

import sys

from keras_decay.callbacks.output.live.lines import Lines
from keras_decay.callbacks.output.live.notebook import Notebook
from keras_decay.callbacks.output.live.terminal import TerminalPlot
from keras_decay.ground import validation

CHOICES = ("auto", True, False, "terminal", "notebook")


def check(live):
    """`live`, if it is one of the choices."""
    return validation.choice("live", live, CHOICES)


def display(live, stream=None):
    """The display that `live` asks for here and now, or None for none.

    Args:
        live: "auto" shows in a notebook or in a terminal, and nothing elsewhere. True
            and "terminal" write lines where there is no terminal.
        stream: Where a terminal's display is written, by default standard output.

    Raises:
        ValueError: If it is "notebook" and this is none.
    """
    stream = sys.stdout if stream is None else stream
    in_notebook = Notebook.possible()
    if live == "notebook" and not in_notebook:
        raise ValueError(
            validation.received("live", live, "'auto' where no notebook runs")
        )
    if live is False:
        return None
    if in_notebook and live != "terminal":
        return Notebook()
    if TerminalPlot.possible(stream):
        return TerminalPlot(stream)
    return None if live == "auto" or stream is None else Lines(stream)
