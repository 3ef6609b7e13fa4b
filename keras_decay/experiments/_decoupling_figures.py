"""The figures of the experiment `decoupling`."""

import matplotlib
import numpy as np
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

from keras_decay.experiments._drawing import STYLE, heading
from keras_decay.experiments._seeds import interval_text
from keras_decay.ground.looks import BLUE, FAINT, GREEN, INK, ORANGE

# Losses above this multiple of the best are drawn as bad as can be.
WORST = 3.0
FORMS = (
    ("l2", "L2 in the loss", ORANGE),
    ("decoupled", "decoupled, paper's form", BLUE),
    ("decoupled_rate", "decoupled, Keras' form", GREEN),
)


def draw_maps(found, maps):
    """The loss over rate and decay: a row per problem, a column per optimizer."""
    problems = list(dict.fromkeys(one.problem for one in maps))
    columns = len(maps) // len(problems)
    width, height = max(10.5, 1.6 + 2.85 * columns), 1.75 + 3.0 * len(problems)
    with matplotlib.rc_context(STYLE | {"axes.grid": False}):
        figure = Figure(figsize=(width, height))
        grid = figure.add_gridspec(
            len(problems),
            columns,
            left=0.85 / width,
            right=1 - 1.0 / width,
            top=1 - 1.2 / height,
            bottom=0.85 / height,
            wspace=0.24,
            hspace=0.42,
        )
        for number, one in enumerate(maps):
            row, column = divmod(number, columns)
            axes = figure.add_subplot(grid[row, column])
            least = min(
                np.nanmin(m.losses.mean(axis=0))
                for m in maps
                if m.problem == one.problem
            )
            entry = found.numbers["slopes"][number // 2]
            form = "decoupled" if one.arm.decoupled else "l2"
            slope = interval_text(entry["slope"][form])
            image = _draw_map(axes, one, least, slope)
            axes.set_title(f"{one.problem}: {one.arm.title}", fontsize=10.5)
            if row == len(problems) - 1:
                axes.set_xlabel("log₁₀ learning rate η")
            if column == 0:
                axes.set_ylabel("log₁₀ decay λ")
            if column == columns - 1:
                place = axes.get_position()
                bar = figure.add_axes(
                    (place.x1 + 0.14 / width, place.y0, 0.12 / width, place.height)
                )
                figure.colorbar(image, cax=bar, extend="max")
                ticks = [t for t in _ticks(least) if t <= WORST * least]
                bar.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
                bar.minorticks_off()
                bar.set_title("loss", fontsize=9, color=FAINT)
        seeds = len(maps[0].losses)
        heading(
            figure,
            _title(found),
            f"Loss on validation rows, mean of {seeds} seeds. White: the best λ at "
            "each η, and the slope of its logarithm (95 % interval over seeds).",
            found,
            left=0.3 / width,
        )
    return figure


def _title(found):
    """What the verdicts come to."""
    verdicts = [entry["verdict"]["decoupled"] for entry in found.numbers["slopes"]]
    if all(verdict == "shows" for verdict in verdicts):
        return "Decoupled, the best λ does not follow the learning rate"
    if all(verdict == "reversed" for verdict in verdicts):
        return "The best λ follows the learning rate where it is decoupled"
    names = {"shows": "shown", "reversed": "reversed", "undecided": "undecided"}
    counts = (f"{verdicts.count(v)} {name}" for v, name in names.items())
    return f"Does decoupling free λ from η? Of {len(verdicts)}: {', '.join(counts)}"


def _ticks(least):
    steps = np.array([0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1, 1.4, 2, 3, 5])
    return steps[steps >= least]


def _draw_map(axes, one, least, slope):
    losses = one.losses.mean(axis=0).T
    losses = np.where(np.isfinite(losses), losses, np.inf)
    image = axes.pcolormesh(
        one.rates,
        one.decays,
        np.minimum(losses, 2 * WORST * least),
        norm=LogNorm(least, WORST * least),
        cmap="viridis_r",
        shading="nearest",
        rasterized=True,
    )
    axes.set_xlim(axes.get_xlim())
    axes.set_ylim(axes.get_ylim())
    best = one.mean.best
    axes.plot(one.rates, best, "-o", ms=5.5, color="white", lw=1.5, mec=INK, mew=0.9)
    axes.text(
        0.04,
        0.05,
        f"slope {slope}",
        transform=axes.transAxes,
        fontsize=9.5,
        bbox={"fc": "white", "ec": "none", "alpha": 0.85, "pad": 2.5},
    )
    return image


def draw_slopes(found):
    """The slopes with their intervals: one row of points per pair of maps."""
    entries = found.numbers["slopes"]
    width, height = 10.5, 2.4 + 0.95 * len(entries)
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(width, height))
        bottom, top = 0.95 / height, 1 - 1.35 / height
        axes = figure.add_axes((0.17, bottom, 0.79, top - bottom))
        for number, entry in enumerate(entries):
            for place, (form, label, colour) in enumerate(FORMS):
                mean, half = entry["slope"][form]
                at = number + (place - 1) * 0.2
                axes.plot(
                    entry["by_seed"][form],
                    np.full(len(entry["by_seed"][form]), at),
                    "o",
                    ms=4.5,
                    color="white",
                    mec=colour,
                    mew=1,
                    zorder=3,
                )
                axes.errorbar(
                    mean,
                    at,
                    xerr=half if np.isfinite(half) else None,
                    fmt="o",
                    ms=7,
                    lw=2,
                    color=colour,
                    label=label if number == 0 else None,
                )
        axes.set_ylim(len(entries) - 0.5, -0.5)
        axes.set_yticks(
            range(len(entries)),
            [f"{entry['problem']}, {entry['optimizer']}" for entry in entries],
        )
        axes.tick_params(axis="y", labelcolor=INK)
        axes.grid(visible=False, axis="y")
        axes.axvline(0, color=INK, lw=1)
        low, high = axes.get_xlim()
        axes.set_xlim(max(low, -3), min(high, 3))
        axes.set_xlabel(
            "slope of log best λ against log η: 0 where neither depends on the other"
        )
        axes.legend(
            loc="lower left", bbox_to_anchor=(0, 1), ncols=3, frameon=False, fontsize=10
        )
        heading(
            figure,
            "How far the best decay follows the learning rate",
            "Small points: seeds; large: mean and 95 % interval.",
            found,
            left=0.03,
        )
    return figure
