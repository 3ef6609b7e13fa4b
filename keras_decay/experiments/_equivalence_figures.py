"""The figures of the experiment `equivalence`."""

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from keras_decay.experiments._drawing import STYLE, heading, label_ends
from keras_decay.ground.looks import AMBER, BLUE, FAINT, GREEN, INK, ORANGE, PINK, SKY

PARTING = (ORANGE, AMBER, PINK, GREEN, SKY)
SAME = (BLUE, SKY, GREEN, PINK)
STYLES = ("-", "--", "-.", ":")
LEFT, RIGHT = 0.08, 0.74
# What a distance of exactly 0 is drawn at.
FLOOR = 1e-18


def draw_distances(found, pairs):
    """The distance of each pair against the step, on logarithmic axes."""
    from keras_decay.experiments.equivalence import ROUNDING, is_same

    distances = found.numbers["distance"]
    title = "L2 and weight decay: not what the algebra says"
    if all(is_same(distances[pair.title]) == pair.claim for pair in pairs):
        title = "L2 is weight decay under plain SGD, and only there"
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(11, 6.4))
        axes = figure.add_axes((LEFT, 0.11, RIGHT - LEFT, 0.72))
        steps = np.arange(1, found.numbers["steps"] + 1)
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.set_xlim(1, steps[-1])
        axes.set_ylim(FLOOR, 30)
        labels, counts = [], {True: 0, False: 0}
        for pair in pairs:
            distance = np.maximum(distances[pair.title], FLOOR)
            number = counts[pair.claim]
            counts[pair.claim] += 1
            colours = SAME if pair.claim else PARTING
            colour = colours[number % len(colours)]
            style = STYLES[number % len(STYLES)]
            axes.plot(steps, distance, color=colour, lw=1.8, ls=style)
            labels.append((pair.title, np.log10(distance[-1]), colour))
        _label_ends(axes, labels)
        axes.axhspan(FLOOR, ROUNDING, color=BLUE, alpha=0.05, lw=0)
        place = (0.98 * steps[-1], 0.3 * ROUNDING)
        axes.text(*place, "rounding", ha="right", va="top", color=FAINT)
        axes.set_xlabel("step")
        axes.set_ylabel("‖w decoupled − w L2‖ / ‖w L2‖")
        heading(
            figure,
            title,
            "The same network, batches and initial weights, trained with decoupled "
            "decay and with L2 in the loss; float64.",
            found,
            left=LEFT,
        )
    return figure


def _label_ends(axes, labels):
    """`label_ends` for a logarithmic axis, whose heights come as logarithms."""
    bottom, top = np.log10(axes.get_ylim())
    placed = [
        (text, (h - bottom) / (top - bottom), colour) for text, h, colour in labels
    ]
    # On an axes of the same place that reaches from 0 to 1.
    over = axes.figure.add_axes(axes.get_position(), frameon=False)
    over.set_axis_off()
    over.set_ylim(0, 1)
    label_ends(over, placed)


def draw_spared(found):
    """What is left of each weight under Adam against √v̂, with L2 and decoupled."""
    numbers = found.numbers["adam"]
    root = numbers["root_v"]
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(11, 5.6))
        grid = figure.add_gridspec(
            1, 2, left=LEFT, right=0.97, top=0.77, bottom=0.13, wspace=0.12
        )
        panels = (("l2", "Adam with L2", ORANGE), ("decoupled", "AdamW", BLUE))
        for index, (name, title, colour) in enumerate(panels):
            axes = figure.add_subplot(grid[index])
            left = numbers[name]
            axes.set_xscale("log")
            axes.set_yscale("log")
            axes.plot(root, left, "o", ms=4, color=colour, alpha=0.35, mew=0)
            centres, medians = _medians(root, left)
            axes.plot(centres, medians, "-o", color=INK, lw=2, ms=5)
            axes.set_ylim(3e-3, 10)
            axes.axhline(1, color=FAINT, lw=1, ls=(0, (4, 3)))
            rho = numbers["rank_correlation"][name]
            axes.set_title(
                f"{title}: rank correlation {rho:.2f}", fontweight="bold", color=colour
            )
            axes.set_xlabel("√v̂, the size of the weight's gradient")
            if index == 0:
                axes.set_ylabel("|w| / |w without decay|")
            else:
                axes.set_yticklabels([])
        heading(
            figure,
            "Which weights Adam's L2 spares",
            "Each point is a weight of the trained network; black: medians of tenths "
            "of the weights.",
            found,
            left=LEFT,
        )
    return figure


def _medians(x, y):
    """The medians of x and of y in each tenth of the points, by x."""
    parts = np.array_split(np.argsort(x), 10)
    return [[float(np.median(values[part])) for part in parts] for values in (x, y)]
