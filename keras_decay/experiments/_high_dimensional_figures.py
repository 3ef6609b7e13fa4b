"""The figures of the experiment `high_dimensional`."""

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from keras_decay.experiments._drawing import STYLE, heading, label_ends
from keras_decay.ground.looks import BLUE, FAINT, GREEN, ORANGE

LEFT, SECOND, WIDTH = 0.07, 0.535, 0.3
BOTTOM, HEIGHT = 0.13, 0.62


def draw_curves(found):
    """Training and test error against the epoch, from either start."""
    numbers = found.numbers
    decay = f"{numbers['decay']:g}"
    looks = {"0": ("no decay", ORANGE), decay: (f"λ = {decay}", BLUE)}
    trainings = len(numbers["curves"]["zero"]["0"]["test"])
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(12, 5.8))
        random, zero = (
            figure.add_axes((left, BOTTOM, WIDTH, HEIGHT)) for left in (LEFT, SECOND)
        )
        random.set_yscale("log")
        random.set_ylim(1e-3, 1e3)
        random.set_ylabel("mean squared error")
        for axes, (start, by_strength) in zip(
            (random, zero), numbers["curves"].items(), strict=True
        ):
            epochs = np.arange(1, numbers["epochs"] + 1)
            ends = []
            for strength, of in by_strength.items():
                name, colour = looks[strength]
                low, high = np.quantile(of["test"], (0.25, 0.75), axis=0)
                axes.fill_between(epochs, low, high, color=colour, alpha=0.12, lw=0)
                axes.plot(epochs, of["test"].mean(axis=0), color=colour, lw=2)
                training = of["train"].mean(axis=0)
                axes.plot(epochs, training, color=colour, lw=1.4, ls="--")
                ends.append((name, of["test"][:, -1].mean(), colour))
            axes.set_xlim(1, epochs[-1])
            axes.set_xlabel("epoch")
            axes.set_title(f"From {start} weights", fontweight="bold")
            if axes is zero:
                axes.set_ylim(0, 0.03)
                levels = (
                    ("mean of targets", "mean", FAINT),
                    ("ridge",) * 2 + (GREEN,),
                )
                for name, key, colour in levels:
                    level = numbers["closed"][key].mean()
                    axes.axhline(level, color=colour, lw=1.2, ls=(0, (1, 2)))
                    ends.append((name, level, colour))
            _label(axes, ends, ".4f" if axes is zero else ".3g")
        heading(
            figure,
            "Decay removes the initial weights where no gradient reaches",
            "200 inputs, 20 samples, SGD. Solid: test rows, dashed: training rows; "
            f"mean and quartiles of {trainings} trainings.",
            found,
            left=LEFT,
        )
    return figure


def draw_strengths(found):
    """Test error against λ from either start, and of ridge, on the first data set."""
    first = found.numbers["first"]
    order = np.argsort(first["strengths"])
    order = order[first["strengths"][order] > 0]
    strengths = first["strengths"][order]
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(12, 5.8))
        random, zero = (
            figure.add_axes((left, BOTTOM, WIDTH, HEIGHT)) for left in (LEFT, SECOND)
        )
        random.set_yscale("log")
        random.set_ylabel("mean squared error on test rows")
        colours = {"N(0, 1)": ORANGE, "zero": BLUE}
        ends: dict = {random: [], zero: []}
        for start, colour in colours.items():
            of = first[start]
            axes = random if start == "N(0, 1)" else zero
            axes.plot(strengths, of["test"][order], "-o", color=colour, lw=2, ms=5)
            axes.axhline(of["limit"], color=colour, lw=1.2, ls=(0, (4, 3)))
            ends[axes].append(("trained", of["test"][order][-1], colour))
            ends[axes].append(("limit, λ = 0", of["limit"], colour))
            axes.set_title(f"From {start} weights", fontweight="bold")
        for axes in (random, zero):
            axes.set_xscale("log")
            axes.set_xlim(0.01, 300)
            axes.set_xlabel("λ of ½ mean squared error + λ/2 Σw²")
            inside = first["half_l2_of_ridge"] >= 0.01
            ridge = first["ridge"][inside]
            axes.plot(first["half_l2_of_ridge"][inside], ridge, color=GREEN, lw=2)
            ends[axes].append(("ridge", ridge[-1], GREEN))
            axes.axhline(first["mean"], color=FAINT, lw=1.2, ls=(0, (1, 2)))
            ends[axes].append(("mean of targets", first["mean"], FAINT))
        random.set_ylim(5e-3, 1e3)
        of_zero = np.concatenate([first["zero"]["test"], first["ridge"]])
        low, high = (
            f([*of_zero, first["mean"], first["zero"]["limit"]]) for f in (min, max)
        )
        zero.set_ylim(low - 0.3 * (high - low), high + 0.3 * (high - low))
        for axes in (random, zero):
            _label(axes, ends[axes])
        heading(
            figure,
            "Much to lose by the start, little to gain by λ",
            f"One data set. Points: after {found.numbers['epochs']} epochs of SGD. "
            "Dashed: the solution of least norm, plus the start's part in the null "
            "space of X.",
            found,
            left=LEFT,
        )
    return figure


def _label(axes, ends, digits=None):
    """Names, and values if `digits` are given, to the right, on either kind of axis."""
    scale = np.log10 if axes.get_yscale() == "log" else np.asarray
    over = axes.figure.add_axes(axes.get_position(), frameon=False)
    over.set_axis_off()
    over.set_ylim(*scale(axes.get_ylim()))
    label_ends(
        over,
        [
            (text if digits is None else f"{text}  {height:{digits}}", scale(height), c)
            for text, height, c in ends
        ],
    )
