"""The figures of the experiment `constraint`."""

from typing import Any

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Circle, Polygon

from keras_decay.experiments._drawing import STYLE, heading, label_ends
from keras_decay.ground.looks import (
    AMBER,
    BLUE,
    FAINT,
    FRAME,
    GREEN,
    INK,
    ORANGE,
    PINK,
    SKY,
)

LEFT = 0.075
COLOURS = {"l2": BLUE, "l1": ORANGE}
TITLES = {"l2": "Σw² ≤ θ, and loss + λ Σw²", "l1": "Σ|w| ≤ θ, and loss + λ Σ|w|"}
SEVERAL = (ORANGE, AMBER, BLUE, GREEN, PINK, SKY, FAINT)
RING: dict[str, Any] = {
    "ls": "none",
    "marker": "o",
    "mfc": "none",
    "mew": 1.8,
    "ms": 11,
}
DOT: dict[str, Any] = {"ls": "none", "marker": "o", "mew": 0, "ms": 5.5}


def _title(found):
    from keras_decay.experiments.constraint import ROUNDING, farthest

    apart = farthest(found.numbers)
    if apart < ROUNDING:
        return "Every ball has its λ: the hard form and the soft form meet"
    return f"The hard form and the soft form are {apart:.1g} apart"


def draw_plane(found):
    """Contours of the loss over two weights, the balls, and where the forms end."""
    plane = found.numbers["plane"]
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(11, 6.9))
        grid = figure.add_gridspec(
            1, 2, left=LEFT, right=0.97, top=0.79, bottom=0.15, wspace=0.16
        )
        for index, norm in enumerate(("l2", "l1")):
            _draw_ball(figure.add_subplot(grid[index]), plane, norm)
        heading(
            figure,
            _title(found),
            f"The error on {plane['rows']} diabetes patients over two weights. "
            "Ring: trained under NormBall; dot: under the penalty.",
            found,
            left=LEFT,
        )
    return figure


def _draw_ball(axes, plane, norm):
    one, colour = plane[norm], COLOURS[norm]
    free, curvature = plane["free"], plane["curvature"]
    radius = one["theta"][0] ** (0.5 if norm == "l2" else 1)
    # As wide as high, around ball and minimum.
    low, high = np.minimum(-radius, free), np.maximum(radius, free)
    centre, reach = (low + high) / 2, 0.62 * (high - low).max()
    xs, ys = (np.linspace(c - reach, c + reach, 201) for c in centre)
    away = np.stack(np.meshgrid(xs, ys)) - free[:, None, None]
    loss = np.einsum("iab,ij,jab->ab", away, curvature, away)
    hard, soft = one["hard"][0], one["soft"][0]
    here = (hard - free) @ curvature @ (hard - free)
    levels = here * np.array([0.04, 0.3, 2.0, 3.6, 5.8, 8.6])
    axes.contour(xs, ys, loss, levels, colors=FRAME, linewidths=0.9)
    axes.contour(xs, ys, loss, [here], colors=INK, linewidths=1.8)
    ball = (
        Circle((0, 0), radius)
        if norm == "l2"
        else Polygon([(radius, 0), (0, radius), (-radius, 0), (0, -radius)])
    )
    ball.set(facecolor=colour, alpha=0.14, edgecolor="none")
    axes.add_patch(ball)
    path = one["path_weights"]
    axes.plot(*path.T, color=colour, lw=1.4, ls=(0, (4, 2)))
    axes.plot(*free, "x", color=INK, ms=8, mew=2)
    axes.plot(*hard, **{**RING, "mec": INK, "ms": 13})
    axes.plot(*soft, **{**DOT, "mfc": colour, "ms": 7})
    axes.axhline(0, color=FAINT, lw=0.8)
    axes.axvline(0, color=FAINT, lw=0.8)
    axes.set_aspect("equal")
    axes.set_xlim(xs[0], xs[-1])
    axes.set_ylim(ys[0], ys[-1])
    axes.grid(False)
    axes.set_xlabel(f"weight of {plane['inputs'][0]}")
    axes.set_ylabel(f"weight of {plane['inputs'][1]}")
    axes.set_title(TITLES[norm], color=colour, fontweight="bold", pad=10)
    note = f"θ = {one['theta'][0]:.3g}\nλ = {one['multiplier'][0]:.3g}"
    box = {"boxstyle": "round,pad=0.2", "fc": "white", "ec": "none", "alpha": 0.85}
    axes.text(
        0.97,
        0.04,
        note,
        transform=axes.transAxes,
        color=colour,
        fontsize=12,
        ha="right",
        linespacing=1.4,
        bbox=box,
    )
    axes.annotate(
        "λ = 0",
        free,
        xytext=(0, 9),
        textcoords="offset points",
        ha="center",
        bbox=box,
    )


def draw_multiplier(found):
    """λ against θ above, the weights against θ below, for both norms."""
    every = found.numbers["all"]
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(11, 8.2))
        grid = figure.add_gridspec(
            2, 2, left=LEFT, right=0.95, top=0.825, bottom=0.1, wspace=0.26, hspace=0.2
        )
        for column, norm in enumerate(("l2", "l1")):
            one, colour = every[norm], COLOURS[norm]
            above, below = (figure.add_subplot(grid[row, column]) for row in (0, 1))
            right = one["theta"].max() * 1.04
            above.plot(one["path_theta"], one["path_multiplier"], color=colour, lw=1.5)
            above.plot([one["path_theta"][0], right], [0, 0], color=colour, lw=1.5)
            above.plot(one["theta"], one["price"], mec=INK, **RING)
            above.plot(one["theta"], one["multiplier"], mfc=colour, **DOT)
            highest = one["multiplier"].max()
            above.set_ylim(-0.04 * highest, 1.15 * highest)
            above.set_title(TITLES[norm], color=colour, fontweight="bold", pad=10)
            above.set_ylabel("multiplier λ" if column == 0 else "")
            _draw_weights(below, every, one, right, first=column == 0)
            for axes in (above, below):
                axes.set_xlim(0, right)
                axes.axvline(one["path_theta"][0], color=FAINT, lw=1, ls=(0, (2, 3)))
            above.annotate(
                "the ball\nis idle:\nλ = 0",
                (one["path_theta"][0], 0.62 * highest),
                xytext=(8, 0),
                textcoords="offset points",
                linespacing=1.4,
                color=FAINT,
            )
        heading(
            figure,
            _title(found),
            f"{len(every['inputs'])} inputs, {every['rows']} patients. Ring: trained "
            "under NormBall; dot: λ by bisection, trained under the penalty.",
            found,
            left=LEFT,
        )
    return figure


def _draw_weights(axes, every, one, right, *, first):
    theta, labels = one["path_theta"], []
    for index, name in enumerate(every["inputs"]):
        colour = SEVERAL[index % len(SEVERAL)]
        line = one["path_weights"][:, index]
        # Beyond the unconstrained minimum nothing changes.
        axes.plot([right, *theta], [line[0], *line], color=colour, lw=1.3)
        axes.plot(one["theta"], one["hard"][:, index], mec=colour, **RING)
        axes.plot(one["theta"], one["soft"][:, index], mfc=colour, **DOT)
        labels.append((name, line[0], colour))
    axes.set_xlabel("bound θ")
    axes.set_ylabel("weights" if first else "")
    low, high = axes.get_ylim()
    axes.set_ylim(low, high)
    label_ends(axes, labels)
