"""The figures of the experiment `prior`."""

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from keras_decay.experiments._drawing import STYLE, heading
from keras_decay.ground.looks import BLUE, FAINT, INK, ORANGE

LEFT = 0.075
COLOURS = {"gaussian": BLUE, "laplace": ORANGE}
NAMES = {"gaussian": "Gaussian prior, L2", "laplace": "Laplace prior, L1"}
SYMBOLS = {"gaussian": ("σ", "L2"), "laplace": ("b", "L1")}


def draw_densities(found):
    """Prior, likelihood and posterior of a single weight, and the trained one."""
    alone = found.numbers["alone"]
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(11, 8))
        grid = figure.add_gridspec(
            2, 2, left=LEFT, right=0.97, top=0.825, bottom=0.1, wspace=0.1, hspace=0.3
        )
        for row, name in enumerate(alone):
            one = alone[name]
            for column, family in enumerate(COLOURS):
                axes = figure.add_subplot(grid[row, column])
                _draw_posterior(axes, name, one, family)
                highest = max(one[f]["posterior"].max() for f in COLOURS)
                axes.set_ylim(0, 1.3 * highest)
                axes.set_xlim(-0.45, 0.95)
                axes.set_yticklabels([])
                if row == len(alone) - 1:
                    axes.set_xlabel("weight")
                if column == 0:
                    axes.set_ylabel("density")
        from keras_decay.experiments.prior import ROUNDING, apart

        same = apart(found.numbers) < ROUNDING
        heading(
            figure,
            "A penalty is a prior: training ends at the posterior's mode"
            if same
            else "Prior and penalty do not end at the same weights",
            f"One weight, {found.numbers['patients']} diabetes patients. Dot: the "
            "weight trained under the prior. Both priors have the same deviation.",
            found,
            left=LEFT,
        )
    return figure


def _draw_posterior(axes, name, one, family):
    colour, density = COLOURS[family], one[family]
    grid = one["grid"]
    axes.plot(grid, density["prior"], color=FAINT, lw=1.5, ls=(0, (2, 2)))
    axes.plot(grid, one["likelihood"], color=INK, lw=1.5, ls=(0, (6, 3)))
    axes.plot(grid, density["posterior"], color=colour, lw=2.2)
    axes.fill_between(grid, density["posterior"], color=colour, alpha=0.12, lw=0)
    end = density["map"]
    height = np.interp(end, grid, density["posterior"])
    axes.plot([end, end], [0, height], color=colour, lw=1.5)
    axes.plot(end, height, "o", color=colour, ms=9)
    text = f"{end:.3f}" if end else "exactly 0"
    axes.annotate(
        text,
        (end, height),
        xytext=(0, 9),
        textcoords="offset points",
        ha="center",
        color=colour,
        fontweight="bold",
    )
    symbol, kind = SYMBOLS[family]
    axes.set_title(
        f"{name}, {symbol} = {density['scale']:.3g}: {kind}({density['strength']:.3g})",
        color=colour,
        fontweight="bold",
        pad=8,
    )
    key = (
        ("prior", FAINT, (0, (2, 2))),
        ("likelihood", INK, (0, (6, 3))),
        ("posterior", colour, "-"),
    )
    handles = [
        matplotlib.lines.Line2D([], [], color=c, ls=style, lw=2, label=label)
        for label, c, style in key
    ]
    axes.legend(handles=handles, frameon=False, loc="upper right")


def draw_scales(found):
    """The error against the prior's scale: the truth known, and on real targets."""
    from keras_decay.experiments.prior import costs

    numbers = found.numbers
    times = numbers["times"]
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(11, 6))
        grid = figure.add_gridspec(
            1, 2, left=LEFT, right=0.97, top=0.78, bottom=0.13, wspace=0.18
        )
        left, right = (figure.add_subplot(grid[k]) for k in (0, 1))
        for family, colour in COLOURS.items():
            ratio, _ = costs(numbers, family)
            simulated, real = (numbers[family][n] for n in ("simulated", "real"))
            base = simulated[list(times).index(1)]
            count = np.sqrt(simulated.shape[1])
            error = (simulated - base).std(axis=1, ddof=1) / count / base.mean()
            _draw_line(left, times, ratio, error, colour, NAMES[family])
            # Against the mean of a sample over all scales: samples differ, but alike.
            mean = real.mean(axis=1)
            spread = (real - real.mean(axis=0)).std(axis=1, ddof=1)
            spread = spread / np.sqrt(real.shape[1])
            _draw_line(right, times, mean, spread, colour, NAMES[family])
        titles = (
            f"{simulated.shape[1]} draws from the prior itself",
            f"the real target, {real.shape[1]} samples of patients",
        )
        labels = (
            "squared error / that at the true scale",
            f"mean squared error, {numbers['others']} other patients",
        )
        under = (
            "scale of the prior / true scale",
            "scale of the prior / that of the weights of all patients",
        )
        for axes, title, label, below in zip(
            (left, right), titles, labels, under, strict=True
        ):
            axes.set_xscale("log", base=2)
            axes.set_xticks(times, [_fraction(t) for t in times])
            axes.minorticks_off()
            axes.axvline(1, color=FAINT, lw=1, ls=(0, (2, 3)))
            axes.set_title(title, fontweight="bold", pad=10)
            axes.set_ylabel(label)
            axes.set_xlabel(below)
            axes.legend(frameon=False, loc="upper right")
        heading(
            figure,
            _title(numbers),
            f"MAP estimates of {len(numbers['inputs'])} weights from "
            f"{numbers['patients']} diabetes patients; bands: standard errors of the "
            "differences between scales.",
            found,
            left=LEFT,
        )
    return figure


def _title(numbers):
    from keras_decay.experiments.prior import costs

    worse = True
    for family in COLOURS:
        ratio, significance = costs(numbers, family)
        ends = [0, -1]
        worse &= bool(np.all((ratio[ends] > 1) & (significance[ends] > 2)))
    if worse:
        return "A prior of the wrong scale costs, on either side"
    return "A prior of the wrong scale does not always cost"


def _draw_line(axes, times, mean, error, colour, name):
    axes.plot(times, mean, "-o", color=colour, lw=2, ms=6, label=name)
    axes.fill_between(times, mean - error, mean + error, color=colour, alpha=0.18, lw=0)


def _fraction(factor):
    return f"1/{1 / factor:g}" if factor < 1 else f"{factor:g}"
