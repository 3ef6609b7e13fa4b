"""The one place that makes figures. Imported only when something is drawn."""

import io
from typing import Any

from matplotlib import rc_context
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from keras_decay.ground import files
from keras_decay.ground.looks import FAINT, FRAME, GRID, INK

# Figures are made without pyplot, so that none is left open and no window or notebook
# is touched.

# Inches: the column of a paper, so that the type has its size in print. In pixels it
# is as large as a notebook shows figures.
SIZE = (3.3, 2.5)
RESOLUTION = 300
# Pixels per inch in a notebook, of which a screen may have twice as many.
ON_SCREEN = 170
TITLE, TEXT, SMALL = 9.0, 7.5, 7.0
THICK, THIN = 1.4, 0.8


class CurveFigure(Figure):
    """A matplotlib figure that shows itself in a notebook, without pyplot."""

    def _repr_png_(self):
        buffer = io.BytesIO()
        self.savefig(buffer, format="png", facecolor="white")
        return buffer.getvalue(), {"width": round(ON_SCREEN * self.get_figwidth())}


def new_axes():
    """The axes of a new figure."""
    figure = CurveFigure(figsize=SIZE, dpi=RESOLUTION)
    # A canvas of pixels, by which the words are measured.
    FigureCanvasAgg(figure)
    return figure.add_subplot()


def save(figure, path):
    """Write the figure to `path`, in the format that its extension names.

    It is written under a temporary name and renamed: a reader never sees half of it.
    """
    extension = path.suffix[1:].lower()
    # Text stays text in an SVG, and the same curve gives the same file. In a PDF fonts
    # are embedded as publishers ask for, not as Type 3.
    settings: dict[Any, Any] = {
        "svg.fonttype": "none",
        "svg.hashsalt": "keras_decay",
        "pdf.fonttype": 42,
    }
    with rc_context(settings):
        files.replace(
            path, lambda file: figure.savefig(file, format=extension, facecolor="white")
        )


def style(ax, x_label, y_label, log):
    """Few lines: no box, a light grid behind the data, whole epochs on the axis."""
    from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter

    for side in ("top", "right"):
        ax.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        ax.spines[side].set_color(FRAME)
        ax.spines[side].set_linewidth(0.6)
    if log:
        ax.set_yscale("log")
        low, high = ax.get_ylim()
        if high < 500 * low:
            # Powers of ten alone would be one or two labels.
            ax.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            ax.yaxis.set_major_formatter("{x:g}")
            ax.yaxis.set_minor_formatter(NullFormatter())
    else:
        ax.yaxis.set_major_locator(MaxNLocator(nbins=5, steps=[1, 2, 2.5, 5, 10]))
    ax.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True, steps=[1, 2, 5, 10]))
    ax.grid(True, color=GRID, linewidth=0.5)
    ax.set_axisbelow(True)
    ax.tick_params(colors=FAINT, labelsize=SMALL, length=0, pad=2.5, which="both")
    ax.set_xlabel(x_label, color=INK, fontsize=TEXT, labelpad=2)
    ax.set_ylabel(y_label, color=INK, fontsize=TEXT, labelpad=3)
    ax.yaxis.get_offset_text().set(size=SMALL, color=FAINT)
    ax.margins(x=0.02, y=0.05)
