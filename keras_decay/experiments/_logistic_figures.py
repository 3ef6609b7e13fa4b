"""The figure of the experiment `logistic`."""

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from keras_decay.experiments._drawing import STYLE, heading
from keras_decay.ground.looks import BLUE, FAINT, INK, ORANGE

LEFT = 0.06


def draw_all(found):
    """The weights against λ, log losses against λ, and on the way without a penalty."""
    numbers = found.numbers
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(13, 5.6))
        grid = figure.add_gridspec(
            1, 3, left=LEFT, right=0.98, top=0.74, bottom=0.14, wspace=0.26
        )
        weights, losses, way = (figure.add_subplot(grid[index]) for index in range(3))
        _draw_weights(weights, numbers)
        _draw_losses(losses, numbers)
        _draw_way(way, numbers)
        distance = np.abs(numbers["weights"][1:] - numbers["oracle"]).max()
        heading(
            figure,
            "λ/(2m) Σw² is scikit-learn's penalty, C = 1/λ"
            if distance < 1e-4
            else "λ/(2m) Σw² and scikit-learn's penalty, C = 1/λ",
            "One unit with binary cross-entropy on the breast cancer patients; log "
            "losses are without the penalty.",
            found,
            left=LEFT,
        )
    return figure


def _order(numbers):
    order = np.argsort(numbers["strengths"], kind="stable")[1:]
    return order, numbers["strengths"][order]


def _draw_weights(axes, numbers):
    order, strengths = _order(numbers)
    axes.set_xscale("log")
    axes.plot(strengths, numbers["weights"][order, :-1], color=BLUE, lw=1.2, alpha=0.7)
    theirs = numbers["oracle"][order - 1, :-1]
    axes.plot(strengths, theirs, "o", color=ORANGE, ms=3, mew=0)
    axes.plot([], [], color=BLUE, lw=1.5, label="Keras, trained")
    axes.plot([], [], "o", color=ORANGE, ms=5, label="scikit-learn")
    axes.legend(loc="upper right", framealpha=0.9)
    axes.set_xlabel("λ")
    axes.set_ylabel("w")
    axes.set_title("The 30 weights", fontweight="bold")


def _draw_losses(axes, numbers):
    order, strengths = _order(numbers)
    axes.set_xscale("log")
    for name, style in (("test", "-o"), ("train", "--")):
        label = "training rows" if name == "train" else "test rows"
        values = numbers[name]["loss"][order]
        axes.plot(strengths, values, style, color=BLUE, lw=2, ms=4, label=label)
    forgotten = numbers["strengths"][-1], numbers["test"]["loss"][-1]
    axes.plot(*forgotten, "D", color=ORANGE, ms=8)
    axes.annotate(
        "1/(2m) forgotten\nat λ = 1",
        forgotten,
        xytext=(-10, 0),
        textcoords="offset points",
        ha="right",
        va="center",
        color=ORANGE,
    )
    axes.set_ylim(0, None)
    axes.legend(loc="upper left", framealpha=0.9)
    axes.set_xlabel("λ")
    axes.set_ylabel("log loss at the end")
    axes.set_title("How strong to be", fontweight="bold")


def _draw_way(axes, numbers):
    epochs = numbers["test_curves"].shape[1]
    steps = numbers["per_epoch"] * np.arange(1, epochs + 1)
    best = 1 + int(np.argmin(numbers["test"]["loss"][1:]))
    name = f"λ = {numbers['strengths'][best]:.3g}, best on test rows"
    shown = ((0, "no penalty", ORANGE), (best, name, BLUE))
    axes.set_xscale("log")
    axes.set_yscale("log")
    for index, label, colour in shown:
        axes.plot(steps, numbers["test_curves"][index], color=colour, lw=2, label=label)
        axes.plot(steps, numbers["train_curves"][index], "--", color=colour, lw=1.4)
    axes.plot([], [], color=INK, lw=2, label="test rows")
    axes.plot([], [], "--", color=FAINT, lw=1.4, label="training rows")
    # Room for the legend below the curves.
    low, high = axes.get_ylim()
    axes.set_ylim(low * (low / high) ** 0.6, high)
    axes.legend(loc="lower left", framealpha=0.9)
    axes.set_xlabel("step")
    axes.set_ylabel("log loss")
    title = "Separable: no end without" if numbers["separable"] else "On the way"
    axes.set_title(title, fontweight="bold")
