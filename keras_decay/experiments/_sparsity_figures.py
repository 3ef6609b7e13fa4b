"""The figures of the experiment `sparsity`."""

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from keras_decay.experiments._drawing import STYLE, heading
from keras_decay.ground.looks import BLUE, FAINT, GRID, ORANGE

LEFT = 0.07
# Where exact zeros are drawn on a logarithmic axis.
ZERO, LOWEST = 1e-5, 3e-5


def draw_weights(found, arms):
    """Every weight's size against λ, by arm; exact zeros have a line of their own."""
    numbers = found.numbers
    half = len(numbers["names"]) // 2
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(12, 6))
        grid = figure.add_gridspec(
            1, 3, left=LEFT, right=0.98, top=0.76, bottom=0.12, wspace=0.08
        )
        for index, (arm, title) in enumerate(arms.items()):
            axes = figure.add_subplot(grid[index])
            strengths = numbers["strengths"][arm]
            weights = np.abs(numbers["weights"]["squared"][arm][:, :, 0])
            axes.set_xscale("log")
            axes.set_yscale("log")
            axes.set_ylim(ZERO / 2, 1.5)
            axes.axhspan(ZERO / 2, LOWEST, color=GRID, alpha=0.7, lw=0)
            for number in range(2 * half):
                colour = BLUE if number < half else ORANGE
                sizes = weights[:, number]
                above = np.where(sizes > 0, np.maximum(sizes, LOWEST), np.nan)
                axes.plot(strengths, above, "-o", color=colour, lw=1.2, ms=3, alpha=0.7)
                at_zero = strengths[sizes == 0]
                side = 1.25 if number < half else 0.8
                heights = np.full(len(at_zero), side * ZERO)
                axes.plot(at_zero, heights, "o", color=colour, ms=4, alpha=0.7)
            zeros, total = int(np.sum(weights == 0)), weights.size
            axes.set_title(f"{title}\n{zeros} of {total} exactly zero", size=12)
            axes.set_xlabel("λ")
            ticks = [ZERO, 1e-4, 1e-3, 1e-2, 1e-1, 1]
            names = ["0", "0.0001", "0.001", "0.01", "0.1", "1"]
            axes.set_yticks(ticks, names if index == 0 else [""] * len(ticks))
            axes.minorticks_off()
            if index == 0:
                axes.set_ylabel("|w|")
                axes.plot([], [], "-o", color=BLUE, ms=4, label="diabetes column")
                axes.plot([], [], "-o", color=ORANGE, ms=4, label="the same, shuffled")
                axes.legend(loc="lower right", bbox_to_anchor=(1, 0.13), framealpha=0.9)
        counts = {
            arm: int(np.sum(numbers["weights"]["squared"][arm][:, :, 0] == 0))
            for arm in arms
        }
        claim = counts["prox"] > 0 and counts["l1"] == counts["l2"] == 0
        heading(
            figure,
            "Only the proximal step sets weights to zero"
            if claim
            else "Which penalty sets weights to zero",
            "Linear model of the diabetes patients, trained on the squared error for "
            f"{numbers['steps']} steps of full gradient descent.",
            found,
            left=LEFT,
        )
    return figure


def draw_outliers(found, titles):
    """Test error and weights without outliers and with, for each penalty and loss."""
    outliers = found.numbers["outliers"]
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(12, 4.8))
        test = figure.add_axes((0.2, 0.2, 0.36, 0.53))
        moved = figure.add_axes((0.61, 0.2, 0.36, 0.53))
        heights = np.arange(len(titles))[::-1]
        for height, (loss, arm) in zip(heights, titles, strict=True):
            of = outliers[loss][arm]
            colour = ORANGE if loss == "squared" else BLUE
            for axes, values in ((test, of["outliers"]), (moved, of["moved"])):
                spread = height + np.linspace(-0.12, 0.12, len(values))
                axes.plot(values, spread, "o", color=colour, alpha=0.4, ms=6, mew=0)
                axes.plot(values.mean(), height, "|", color=colour, ms=26, mew=3)
            test.plot(of["clean"], height, "D", color=FAINT, ms=7)
        test.plot([], [], "D", color=FAINT, ms=7, label="without outliers")
        test.plot([], [], "o", color=ORANGE, ms=6, label="with")
        test.legend(ncols=2, loc="lower left", bbox_to_anchor=(0, 1), frameon=False)
        test.set_yticks(heights, list(titles.values()))
        moved.set_yticks(heights, [""] * len(heights))
        for axes in (test, moved):
            axes.set_ylim(-0.6, len(titles) - 0.4)
            axes.set_xlim(0, None)
        test.set_xlabel("mean squared error on test rows")
        moved.set_xlabel("‖w with outliers − w‖ / ‖w‖")
        heading(
            figure,
            "Outliers: what bears them is the loss, not the penalty"
            if _loss_decides(outliers)
            else "What outliers do to penalties and losses",
            "Each point is a draw of outliers, 5 % of the training targets, with λ "
            "chosen anew; the bar is their mean.",
            found,
            left=LEFT,
        )
    return figure


def _loss_decides(outliers):
    means = {
        loss: [of["moved"].mean() for of in arms.values()]
        for loss, arms in outliers.items()
    }
    return max(means["huber"]) < min(means["squared"])
