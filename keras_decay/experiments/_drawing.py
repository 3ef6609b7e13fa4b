"""The look of the experiments' figures, and the pieces that they share."""

from typing import Any

import numpy as np

from keras_decay.ground.looks import FAINT, FRAME, GRID, INK, spread

STYLE: dict[Any, Any] = {
    "font.family": "sans-serif",
    "font.size": 10,
    "text.color": INK,
    "axes.edgecolor": FRAME,
    "axes.labelcolor": INK,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": GRID,
    "grid.linewidth": 0.8,
    "xtick.color": FAINT,
    "ytick.color": FAINT,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "figure.facecolor": "white",
    "axes.facecolor": "white",
}


def draw_band(axes, curves, colour, *, shift=0.0, width=2.0):
    """The mean of `curves`, and a band of one standard deviation if there are several.

    Args:
        axes: The matplotlib axes.
        curves: Array of shape (curves, epochs).
        colour: The colour of line and band.
        shift: Added to the epochs, which count from 0.
        width: The line's width in points.
    """
    epochs = np.arange(curves.shape[1]) + shift
    mean = curves.mean(axis=0)
    few = curves.shape[1] < 5
    axes.plot(epochs, mean, color=colour, lw=width, marker="o" if few else None, ms=4)
    if len(curves) > 1:
        spread = curves.std(axis=0, ddof=1)
        low, high = mean - spread, mean + spread
        axes.fill_between(epochs, low, high, color=colour, alpha=0.16, lw=0)


def label_ends(axes, labels, size=9.5):
    """Writes texts to the right of `axes`, where curves end, none over another.

    Args:
        axes: The matplotlib axes, whose limits are set and whose figure has its size.
        labels: A list of (text, height in data coordinates, colour).
        size: The size of the font in points.
    """
    bottom, top = axes.get_ylim()
    inches = axes.get_position().height * axes.figure.get_figheight()
    distance = 1.35 * size * (top - bottom) / (72 * inches)
    heights = np.nan_to_num([height for _, height, _ in labels], nan=top)
    placed = spread(np.clip(heights, bottom, top), distance)
    for (text, _, colour), height in zip(labels, placed, strict=True):
        axes.annotate(
            text,
            (1, height),
            xycoords=axes.get_yaxis_transform(),
            xytext=(6, 0),
            textcoords="offset points",
            va="center",
            fontsize=size,
            color=colour,
            annotation_clip=False,
        )


def save_figures(figures, folder, *, salt):
    """Writes figures as PNG and SVG.

    Args:
        figures: name: figure.
        folder: A `Path`.
        salt: A text on which the names within the SVG depend, and nothing else.
    """
    import matplotlib

    # Text stays text in the SVG, to be searched and edited.
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": salt}):
        for name, figure in figures.items():
            figure.savefig(folder / f"{name}.png", dpi=150)
            figure.savefig(folder / f"{name}.svg", metadata={"Date": None})


def heading(figure, title, subtitle, findings, *, left=0.06, seeds=None):
    """The headline above, and below what was computed with what.

    Args:
        figure: The matplotlib figure, with room above its axes for the two lines.
        title: What the figure shows, in a line.
        subtitle: On what data, in a line.
        findings: The `Findings`, or what else has a backend, a device and versions.
        left: Where the lines begin, in parts of the figure's width.
        seeds: What is said of the seeds; by default that of the findings.
    """
    inches = figure.get_figheight()
    figure.text(left, 1 - 0.42 / inches, title, fontsize=18, fontweight="bold")
    figure.text(left, 1 - 0.70 / inches, subtitle, fontsize=11, color=FAINT)
    if seeds is None:
        seeds = f"seed {findings.arguments['seed']}"
    versions = findings.versions
    footer = (
        f"keras-decay {versions['keras_decay']}, Keras {versions['keras']} on "
        f"{findings.backend} {versions[findings.backend]}, {findings.device['name']}, "
        f"{seeds}"
    )
    figure.text(left, 0.14 / inches, footer, fontsize=8.5, color=FAINT)
